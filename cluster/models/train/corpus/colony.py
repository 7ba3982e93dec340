"""Questions about Colony. The answers say in a sentence or two what the pages in docs/ say at length."""

import random
from dataclasses import dataclass

from corpus.item import Item, item

# What something is: asked for with any of these.
THING_QUESTIONS = [
    "What is {x}?", "What does {x} do?", "What is {x} for?", "Explain {x}.", "Tell me about {x}.", "Describe {x}.",
    "What is the job of {x}?", "What is the role of {x} in Colony?", "What does {x} do in Colony?", "Explain what {x} is.",
    "What do you know about {x}?", "What is meant by {x}?", "In Colony, what is {x}?", "What is the purpose of {x}?",
    "Can you explain {x}?", "Define {x}.",
]
# How something is done.
TASK_QUESTIONS = [
    "How do I {x}?", "How can I {x}?", "Which command do I use to {x}?", "How does one {x}?", "What do I do to {x}?",
    "I want to {x}. How?", "How to {x}?", "What is the command to {x}?", "Show me how to {x}.", "What must I type to {x}?",
]
# What a command does.
COMMAND_QUESTIONS = [
    "What does {x} do?", "What does {x} print?", "What is {x} for?", "What happens when I run {x}?", "Explain {x}.",
    "What does the command {x} do?", "What does {x} show?", "When do I use {x}?", "Tell me about {x}.",
    "What is the command {x} for?",
]
# Why something is so, and facts that have only one question: written out.
NOTHING_BUT_THE_QUESTION = ["{x}"]


@dataclass(frozen=True)
class Fact:
    """An answer, and the things that it answers about, each with all the questions of its kind."""

    questions: list[str]
    subjects: list[str]
    answer: str


def thing(subjects: list[str], answer: str) -> Fact:
    return Fact(THING_QUESTIONS, subjects, answer)


def task(subjects: list[str], answer: str) -> Fact:
    return Fact(TASK_QUESTIONS, subjects, answer)


def command(subjects: list[str], answer: str) -> Fact:
    quoted = [f"`{subject}`" for subject in subjects]
    return Fact(COMMAND_QUESTIONS, subjects + quoted, answer)


def fact(questions: list[str], answer: str) -> Fact:
    return Fact(NOTHING_BUT_THE_QUESTION, questions, answer)


FACTS = [
    # Parts.
    thing(["Colony", "this cluster", "the Colony cluster"],
          "Colony runs Mixture-of-Experts language models that do not fit on one machine, across ordinary Linux machines."),
    thing(["a worker", "the worker", "a worker node"],
          "A worker hosts a part of the experts of every layer and computes them for the coordinator. It keeps no state of "
          "any sequence, so it can vanish at any moment."),
    thing(["the coordinator", "a coordinator"],
          "The coordinator keeps each sequence's keys and values, computes attention and the router, and sends each token "
          "to the workers that host its experts."),
    thing(["the gateway", "a gateway"],
          "The gateway speaks HTTP with clients: it turns text into tokens, asks the coordinator, and sends the answer as "
          "text, in OpenAI's format."),
    thing(["clusterctl", "the clusterctl program"],
          "clusterctl is the operator's program: it starts a cluster, shows its state, makes certificates and asks the model."),
    thing(["clusterbench", "the clusterbench program"],
          "clusterbench measures a cluster: load on the gateway, and round trips over the real links."),
    thing(["an expert", "the experts", "a routed expert"],
          "An expert is a small feed-forward network. Each layer has many, and a token visits only the few that the router "
          "chooses."),
    thing(["the router", "a router"],
          "The router scores the experts of a layer for each token and picks the best few."),
    thing(["a shard", "the shards"], "A shard is what a worker can host: one expert of one layer."),
    thing(["placement", "the placement", "expert placement"],
          "Placement decides which worker hosts which experts, in proportion to the memory of each."),
    thing(["dispatch", "a dispatch", "the dispatch step"],
          "Dispatch sends the rows of activations to the workers that host the chosen experts, one frame for each worker."),
    thing(["combine", "the combine step"],
          "Combine adds the rows that come back from the workers, in the router's order, so that the sum does not depend on "
          "the cut."),
    thing(["prefill", "the prefill phase"], "Prefill reads the prompt, in chunks, before the first token is generated."),
    thing(["decode", "decoding", "the decode phase"],
          "Decoding generates one token per step and reads every active weight once, so its speed is memory bandwidth."),
    thing(["the KV cache", "the key-value cache"],
          "The KV cache holds the keys and values of each sequence. It lies in blocks on the coordinator."),
    thing(["the tokenizer", "a tokenizer"], "The tokenizer turns text into token ids and back. It runs in the gateway."),
    thing(["the chat template", "a chat template"],
          "The chat template turns messages into the prompt that the model was trained on. The gateway renders it."),
    thing(["a frame", "the wire format"],
          "A frame is one message between processes: a fixed header and a payload whose length is checked."),
    thing(["the placement epoch", "an epoch"],
          "The epoch counts placements. A worker refuses work that was meant for an older one."),
    thing(["a heartbeat", "the heartbeats"],
          "Heartbeats tell the coordinator that a worker lives. One that falls silent is declared dead within a second."),
    thing(["the scheduler", "the batch scheduler"],
          "The scheduler decides which sequences take part in the next step. They join and leave the batch at every step."),
    thing(["the compute pool", "the thread pool"],
          "The compute pool runs the kernels on all cores. Its threads spin for a moment after work and then sleep."),
    thing(["the sampler", "sampling"],
          "The sampler draws the next token from the logits. Its random numbers depend on the seed and the position only."),
    thing(["a replica", "replicas"],
          "A replica is a second copy of an expert on another worker. Replicas are planned; today each expert has one owner."),
    thing(["Antling", "the bundled model", "this model"],
          "Antling is the small Mixture-of-Experts model that comes with Colony, so that the whole system can be tried offline."),
    # Commands.
    command(["cluster/demo", "the demo"],
            "cluster/demo builds Colony, starts a coordinator, three workers and a gateway on this machine, asks three "
            "questions and stays up until Ctrl-C."),
    command(["cluster/test"],
            "cluster/test builds Colony and runs every test. Its last line says how many passed and how many failed."),
    command(["clusterctl up", "clusterctl up --model PATH"],
            "clusterctl up starts a whole cluster on this machine and prints a line that begins with ready and the address."),
    command(["clusterctl status"],
            "clusterctl status shows each node with its role, state, shards and memory, and the load of the cluster."),
    command(["clusterctl status --watch"], "clusterctl status --watch shows the state again and again, until Ctrl-C."),
    command(["clusterctl status --json"], "clusterctl status --json prints the state of the cluster as a JSON document."),
    command(["clusterctl chat"],
            "clusterctl chat talks with the model in the terminal. Ctrl-C stops the answer, Ctrl-D leaves."),
    command(["clusterctl generate"], "clusterctl generate continues a prompt and prints the text as it comes."),
    command(["clusterctl certs", "clusterctl certs init"],
            "clusterctl certs makes the authority and the certificates of a cluster: one for each node, with its role."),
    command(["clusterctl tokenize"], "clusterctl tokenize prints the token ids of a text, or the text of token ids with --decode."),
    command(["clusterctl template"], "clusterctl template prints the prompt that the chat template makes of messages."),
    command(["clusterbench load"],
            "clusterbench load sends many requests to the gateway and prints time to first token, time per token and throughput."),
    command(["clusterbench rpc"], "clusterbench rpc measures round trips over the real transport, beside plain TCP."),
    # Tasks.
    task(["start a cluster", "start Colony", "run a cluster on this machine"],
         "Run clusterctl up --model PATH --workers 3. It prints ready and the address when it can generate."),
    task(["stop a cluster", "stop the cluster", "shut Colony down"],
         "Press Ctrl-C where clusterctl up runs, or send it SIGTERM. It leaves no process behind."),
    task(["see the state of the cluster", "see which nodes are alive", "check the cluster"],
         "Run clusterctl status, or open the gateway's address in a browser."),
    task(["drain a node", "drain a worker", "take a worker out of service"],
         "The command will be clusterctl drain NODE. It comes with replicas; today, start the cluster without that worker."),
    task(["add a worker", "use more workers", "add a node"],
         "Give the worker a certificate, add it to cluster.yaml, and start worker --config cluster.yaml on its machine. On "
         "one machine, start clusterctl up with a larger --workers."),
    task(["make certificates", "create a certificate for a node"],
         "Run clusterctl certs init --directory DIR once, then clusterctl certs issue NODE --role ROLE for each node."),
    task(["chat with the model", "talk to the model in the terminal"], "Run clusterctl chat, or open the gateway's address in a browser."),
    task(["run the tests", "test Colony"], "Run cluster/test. The last line says how many tests passed and failed."),
    task(["build Colony", "compile Colony"], "Run swift build -c release. The programs are then in .build/release."),
    task(["run a model on several machines", "deploy Colony on several hosts"],
         "Write a cluster.yaml, give each node a certificate, and start coordinator, worker and gateway with --config cluster.yaml."),
    task(["measure the speed of a cluster", "benchmark the cluster"],
         "Run clusterbench load. It prints time to first token, time per output token and throughput."),
    task(["get the metrics", "monitor the cluster with Prometheus"], "Read /metrics on the gateway: Prometheus' text format."),
    task(["check the health of the cluster", "know whether the cluster is healthy"],
         "Ask the gateway for /health: it answers 200 only while the cluster can generate, else 503 with the reason."),
    task(["get the same answer twice", "make an answer reproducible"],
         "Set temperature to 0, or give a seed: the same request with the same seed gives the same answer."),
    # Single facts.
    fact(["What happens when a worker dies?", "What happens if a worker dies?", "What if a worker crashes?",
          "What does Colony do when a worker dies?", "What happens when a worker fails?", "A worker has died. What now?"],
         "It is noticed within a second, clusterctl status names it, and the requests that needed it end with an error "
         "instead of hanging."),
    fact(["Is the answer exact?", "Do the answers depend on the number of workers?", "Does the number of workers change the answer?",
          "Is the result the same with more workers?", "Why is Colony exact?", "Are answers bit for bit the same?"],
         "Yes: the same request gives the same tokens and probabilities, bit for bit, with no worker and with twenty."),
    fact(["How do the processes talk to each other?", "How do nodes communicate?", "How is the traffic between nodes protected?",
          "Is the connection between nodes encrypted?", "Which protocol do the nodes use?"],
         "Over mutual TLS 1.3 with a binary protocol of frames. The role of each process is written in its certificate."),
    fact(["Which models does Colony run?", "What models are supported?", "Which models can I use?", "Which model families work?",
          "What kind of model does Colony run?"],
         "Today the Qwen3 Mixture-of-Experts family from safetensors files in F32, F16 or BF16. Other families will follow."),
    fact(["In which language is Colony written?", "What is Colony written in?", "Which programming language does Colony use?",
          "What language is Colony programmed in?"],
         "Colony is written in Swift, with kernels in C."),
    fact(["Which API does the gateway speak?", "Is there an API?", "Can I use an OpenAI client?", "Which API does Colony have?",
          "Does Colony speak the OpenAI API?"],
         "OpenAI's: completions and chat under /v1, with streaming, on HTTP/1.1 and HTTP/2."),
    fact(["On which port does the gateway listen?", "What is the address of the gateway?", "Where does the gateway listen?",
          "Which port does Colony use?", "What is the default port?"],
         "The gateway listens on 127.0.0.1:8080 unless --listen says otherwise."),
    fact(["Why are experts spread over workers?", "Why does Colony shard experts?", "Why use several machines?",
          "Why is Colony fast?", "What is the advantage of sharding experts?"],
         "Decoding is limited by memory bandwidth. With the experts on all machines, their bandwidths add up."),
]


def colony(generator: random.Random) -> Item:
    chosen = generator.choice(FACTS)
    subject, question = generator.choice(chosen.subjects), generator.choice(chosen.questions)
    text = question.format(x=subject)
    return item("colony", text, chosen.answer, text)
