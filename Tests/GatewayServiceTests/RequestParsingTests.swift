import Basics
import GatewayService
import Testing
import Wire

@Suite("Completion requests")
struct CompletionRequestTests {
    @Test("what a request leaves out has OpenAI's defaults")
    func defaults() throws {
        let request = try CompletionRequest(parsing: ["prompt": "hello"])
        #expect(request.prompts == [.text("hello")])
        #expect(request.echoes == false)
        #expect(request.addsSpecialTokens)
        var options = GenerationOptions()
        options.tokensMax = 16
        #expect(request.options == options)
    }

    @Test("the request of the reference check is understood")
    func referenceRequest() throws {
        let text = #"""
            {"model":"default","prompt":[1,2,3],"max_tokens":24,"temperature":0,"echo":true,"logprobs":20,
             "return_token_ids":true,"return_tokens_as_token_ids":true,"ignore_eos":true,"seed":0}
            """#
        let request = try CompletionRequest(parsing: JSON(parsing: text))
        #expect(request.prompts == [.tokens([TokenID(1), TokenID(2), TokenID(3)])])
        #expect(request.echoes)
        var options = GenerationOptions()
        options.model = "default"
        options.tokensMax = 24
        options.temperature = 0
        options.logprobCount = 20
        options.returnsTokenIDs = true
        options.namesTokensByID = true
        options.ignoresEndTokens = true
        options.seed = 0
        #expect(request.options == options)
    }

    @Test("every field is read")
    func everyField() throws {
        let text = #"""
            {"prompt":["a",[7,8]],"max_tokens":5,"min_tokens":2,"temperature":1.5,"top_p":0.9,"top_k":40,"min_p":0.1,
             "repetition_penalty":1.1,"presence_penalty":-1,"frequency_penalty":2,"logit_bias":{"9":-100,"3":1.5},
             "seed":-1,"stop":["x","yz"],"stop_token_ids":[4],"n":3,"best_of":3,"stream":true,
             "stream_options":{"include_usage":true},"logprobs":0,"skip_special_tokens":false,
             "add_special_tokens":false,"user":"someone","an_unknown_field":{"x":1},"suffix":null}
            """#
        let request = try CompletionRequest(parsing: JSON(parsing: text))
        #expect(request.prompts == [.text("a"), .tokens([TokenID(7), TokenID(8)])])
        #expect(request.addsSpecialTokens == false)
        let options = request.options
        #expect(options.tokensMax == 5)
        #expect(options.tokensMin == 2)
        #expect(options.temperature == 1.5)
        #expect(options.topP == 0.9)
        #expect(options.topK == 40)
        #expect(options.minP == 0.1)
        #expect(options.repetitionPenalty == 1.1)
        #expect(options.presencePenalty == -1)
        #expect(options.frequencyPenalty == 2)
        #expect(options.logitBias.map(\.token) == [TokenID(3), TokenID(9)])
        #expect(options.logitBias.map(\.bias) == [1.5, -100])
        #expect(options.seed == UInt64.max)
        #expect(options.stopStrings == ["x", "yz"])
        #expect(options.stopTokens == [TokenID(4)])
        #expect(options.choiceCount == 3)
        #expect(options.streams)
        #expect(options.includesUsage)
        #expect(options.logprobCount == 0)
        #expect(options.skipsSpecialTokens == false)
    }

    @Test(
        "bad requests are refused with the field and the reason",
        arguments: [
            (#"[]"#, nil, "the body must be a JSON object, found array"),
            (#"{}"#, "prompt", "'prompt' is missing"),
            (#"{"prompt":[]}"#, "prompt", "'prompt' is an empty array"),
            (
                #"{"prompt":5}"#, "prompt",
                "'prompt' must be a string, an array of strings, token ids or an array of them, found 5"
            ),
            (#"{"prompt":[[]]}"#, "prompt", "a prompt of token ids must not be empty"),
            (#"{"prompt":[1,"a"]}"#, "prompt", "'prompt' must hold token ids, found string"),
            (#"{"prompt":[-1]}"#, "prompt", "token id -1 in 'prompt' is out of range"),
            (#"{"prompt":"a","max_tokens":-1}"#, "max_tokens", "'max_tokens' is -1; it must be from 0 to 2147483647"),
            (#"{"prompt":"a","max_tokens":1.5}"#, "max_tokens", "'max_tokens' must be a whole number, found 1.5"),
            (#"{"prompt":"a","logprobs":21}"#, "logprobs", "'logprobs' is 21; it must be from 0 to 20"),
            (#"{"prompt":"a","temperature":2.5}"#, "temperature", "'temperature' is 2.5; it must be from 0.0 to 2.0"),
            (#"{"prompt":"a","temperature":"hot"}"#, "temperature", "'temperature' must be a number, found string"),
            (#"{"prompt":"a","top_p":0}"#, "top_p", "'top_p' is 0; it must be above 0 and at most 1"),
            (#"{"prompt":"a","n":129}"#, "n", "'n' is 129; it must be from 1 to 128"),
            (#"{"prompt":"a","n":0}"#, "n", "'n' is 0; it must be from 1 to 128"),
            (#"{"prompt":"a","stop":[1]}"#, "stop", "'stop' must be a string or an array of strings, found number"),
            (#"{"prompt":"a","stop":""}"#, "stop", "a stop string must not be empty"),
            (
                #"{"prompt":"a","logit_bias":{"x":1}}"#, "logit_bias",
                "'logit_bias' has the key 'x'; keys must be token ids"
            ),
            (
                #"{"prompt":"a","stream_options":{}}"#, "stream_options",
                "'stream_options' is only allowed when 'stream' is true"
            ),
            (#"{"prompt":"a","stream":1}"#, "stream", "'stream' must be true or false, found 1"),
            (
                #"{"prompt":"a","best_of":2}"#, "best_of",
                "'best_of' is 2 but 'n' is 1; choosing among more is not supported"
            ),
            (
                #"{"prompt":"a","suffix":"z"}"#, "suffix",
                "'suffix' is not supported: the model continues a prompt, it does not fill gaps"
            ),
            (#"{"prompt":"a","guided_regex":"z"}"#, "guided_regex", "'guided_regex' is not supported"),
            (#"{"prompt":"a","use_beam_search":true}"#, "use_beam_search", "'use_beam_search' is not supported"),
        ] as [(String, String?, String)])
    func refusals(body: String, parameter: String?, message: String) throws {
        let json = try JSON(parsing: body)
        let error = apiError { _ = try CompletionRequest(parsing: json) }
        #expect(error?.status == 400)
        #expect(error?.parameter == parameter)
        #expect(error?.message == message)
    }

    @Test("limits on counts name the limit")
    func limits() throws {
        let many = JSON.array(Array(repeating: "a", count: 257))
        #expect(
            apiError { _ = try CompletionRequest(parsing: ["prompt": many]) }?.message
                == "'prompt' has 257 prompts; the limit is 256")
        let ten = JSON.array(Array(repeating: "a", count: 10))
        #expect(
            apiError { _ = try CompletionRequest(parsing: ["prompt": ten, "n": 100]) }?.message
                == "10 prompts with 100 choices each are 1000 sequences; the limit of one request is 512")
        let stops = JSON.array(Array(repeating: "a", count: 17))
        #expect(
            apiError { _ = try CompletionRequest(parsing: ["prompt": "a", "stop": stops]) }?.message
                == "'stop' has 17 elements; the limit is 16")
        let long = JSON.string(String(repeating: "x", count: 1025))
        #expect(
            apiError { _ = try CompletionRequest(parsing: ["prompt": "a", "stop": long]) }?.message
                == "a stop string has 1025 bytes; the limit is 1024")
    }
}

@Suite("Chat requests")
struct ChatRequestTests {
    static let hello: JSON = [["role": "user", "content": "hello"]]

    @Test("what a request leaves out has OpenAI's defaults")
    func defaults() throws {
        let request = try ChatRequest(parsing: ["messages": ChatRequestTests.hello])
        #expect(request.messages == ChatRequestTests.hello)
        #expect(request.tools == nil)
        #expect(request.addsGenerationPrompt)
        #expect(request.continuesFinalMessage == false)
        #expect(request.options == GenerationOptions())
    }

    @Test("text parts become one string, arguments of tool calls become objects")
    func messages() throws {
        let text = #"""
            {"messages":[{"role":"user","name":"me","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]},
              {"role":"assistant","content":null,
               "tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{\"x\":1}"}}]}]}
            """#
        let request = try ChatRequest(parsing: JSON(parsing: text))
        let expected = #"""
            [{"role":"user","name":"me","content":"a\nb"},
             {"role":"assistant","content":null,
              "tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":{"x":1}}}]}]
            """#
        #expect(request.messages == (try JSON(parsing: expected)))
    }

    @Test("logprobs, limits, tools and template variables are read")
    func fields() throws {
        let tool: JSON = ["type": "function", "function": ["name": "f"]]
        let request = try ChatRequest(parsing: [
            "messages": ChatRequestTests.hello, "logprobs": true, "top_logprobs": 3, "max_tokens": 5,
            "max_completion_tokens": 6, "tools": [tool], "tool_choice": "auto", "response_format": ["type": "text"],
            "chat_template_kwargs": ["enable_thinking": false], "continue_final_message": true,
        ])
        #expect(request.options.logprobCount == 3)
        #expect(request.options.tokensMax == 6)
        #expect(request.tools == [tool])
        #expect(request.templateVariables == ["enable_thinking": false])
        #expect(request.continuesFinalMessage)
        #expect(request.addsGenerationPrompt == false)
        let without = try ChatRequest(parsing: [
            "messages": ChatRequestTests.hello, "tools": [tool], "tool_choice": "none",
        ])
        #expect(without.tools == nil)
    }

    @Test(
        "bad requests are refused with the field and the reason",
        arguments: [
            (#"{}"#, "messages", "'messages' is missing"),
            (#"{"messages":[]}"#, "messages", "'messages' is empty"),
            (#"{"messages":["a"]}"#, "messages", "'messages[0]' must be an object, found string"),
            (#"{"messages":[{"content":"a"}]}"#, "messages", "'messages[0].role' must be a string, e.g. \"user\""),
            (#"{"messages":[{"role":"user"}]}"#, "messages", "'messages[0].content' is missing"),
            (
                #"{"messages":[{"role":"user","content":1}]}"#, "messages",
                "'messages[0].content' must be a string or an array of text parts, found number"
            ),
            (
                #"{"messages":[{"role":"user","content":[{"type":"image_url"}]}]}"#, "messages",
                "'messages[0].content[0]' is of type 'image_url'; the model reads only text"
            ),
            (
                #"{"messages":[{"role":"user","content":"a"}],"top_logprobs":2}"#, "top_logprobs",
                "'top_logprobs' needs 'logprobs' to be true"
            ),
            (
                #"{"messages":[{"role":"user","content":"a"}],"logprobs":5}"#, "logprobs",
                "'logprobs' must be true or false, found 5"
            ),
            (
                #"{"messages":[{"role":"user","content":"a"}],"tool_choice":"required"}"#, "tool_choice",
                "'tool_choice' may be \"auto\" or \"none\"; forcing \"required\" is not supported"
            ),
            (
                #"{"messages":[{"role":"user","content":"a"}],"tool_choice":{"type":"function","function":{"name":"f"}}}"#,
                "tool_choice", "'tool_choice' may be \"auto\" or \"none\"; forcing the function 'f' is not supported"
            ),
            (
                #"{"messages":[{"role":"user","content":"a"}],"response_format":{"type":"json_object"}}"#,
                "response_format", "'response_format' of type 'json_object' is not supported, only 'text'"
            ),
            (
                #"{"messages":[{"role":"user","content":"a"}],"continue_final_message":true,"add_generation_prompt":true}"#,
                "continue_final_message", "'continue_final_message' and 'add_generation_prompt' exclude each other"
            ),
            (
                #"{"messages":[{"role":"user","content":"a"}],"modalities":["audio"]}"#, "modalities",
                "'modalities' supports only [\"text\"]"
            ),
            (
                #"{"messages":[{"role":"user","content":"a"}],"tools":[{}]}"#, "tools",
                "'tools[0]' must be an object with 'function.name'"
            ),
        ])
    func refusals(body: String, parameter: String, message: String) throws {
        let json = try JSON(parsing: body)
        let error = apiError { _ = try ChatRequest(parsing: json) }
        #expect(error?.status == 400)
        #expect(error?.parameter == parameter)
        #expect(error?.message == message)
    }
}

@Suite("Errors")
struct APIErrorTests {
    @Test("an error is OpenAI's object")
    func object() {
        let error = APIError.invalid("n", "'n' is 0", code: "bad")
        #expect(
            error.json.serialised()
                == #"{"error":{"message":"'n' is 0","type":"invalid_request_error","param":"n","code":"bad"}}"#)
        #expect(
            APIError.unavailable("away").json.serialised()
                == #"{"error":{"message":"away","type":"service_unavailable_error","param":null,"code":"unavailable"}}"#
        )
    }

    @Test("every refusal of the cluster has a status")
    func refusals() {
        let statuses: [RefusalCode: Int] = [
            .invalidRequest: 400, .overloaded: 429, .unavailable: 503, .deadlineExceeded: 504,
        ]
        for code in RefusalCode.allCases {
            let error = APIError(Refusal(code, "why"))
            #expect(error.status == statuses[code] ?? 500)
            #expect(error.message.contains("why"))
            #expect((error.retryAfterSeconds != nil) == (error.status == 429 || error.status == 503))
        }
    }
}
