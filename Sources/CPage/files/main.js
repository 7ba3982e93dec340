// Joins the parts of the page: the connection tells the cluster's state, the chat its last answer.

import { Chat } from "./chat.js";
import { showCluster } from "./cluster.js";
import { Connection } from "./connection.js";
import { ExpertsView } from "./experts.js";
import { showState } from "./notice.js";

const connection = new Connection();
const experts = new ExpertsView();
const chat = new Chat({
    onAnswer: (turn, view) => experts.show(turn, view),
    onProgress: () => experts.draw(),
    onToken: (index) => experts.select(index),
    onNetworkLoss: () => connection.askNow(),
});

connection.onChange((state) => {
    showState(state);
    showCluster(state);
    chat.canAsk = state.kind === "ready";
    if (state.document) experts.model = state.document.model;
});
connection.start();
