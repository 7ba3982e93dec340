// The page's files become part of the program here: nothing is read from a disk at run time, and nothing has to be
// installed beside the executable. In C, because its compiler embeds a file in no time; the package manager's way
// writes an array literal for the Swift compiler to read, which costs ten seconds in each build of the target.

#include "page.h"

// Of C23, which these compilers know in every mode.
#pragma clang diagnostic ignored "-Wc23-extensions"

static const unsigned char index_html[] = {
#embed "files/index.html"
};
static const unsigned char icon_svg[] = {
#embed "files/icon.svg"
};
static const unsigned char style_css[] = {
#embed "files/style.css"
};
static const unsigned char chat_css[] = {
#embed "files/chat.css"
};
static const unsigned char cluster_css[] = {
#embed "files/cluster.css"
};
static const unsigned char experts_css[] = {
#embed "files/experts.css"
};
static const unsigned char answer_js[] = {
#embed "files/answer.js"
};
static const unsigned char api_js[] = {
#embed "files/api.js"
};
static const unsigned char chat_js[] = {
#embed "files/chat.js"
};
static const unsigned char cluster_js[] = {
#embed "files/cluster.js"
};
static const unsigned char connection_js[] = {
#embed "files/connection.js"
};
static const unsigned char conversation_js[] = {
#embed "files/conversation.js"
};
static const unsigned char dom_js[] = {
#embed "files/dom.js"
};
static const unsigned char events_js[] = {
#embed "files/events.js"
};
static const unsigned char experts_js[] = {
#embed "files/experts.js"
};
static const unsigned char format_js[] = {
#embed "files/format.js"
};
static const unsigned char heatcanvas_js[] = {
#embed "files/heatcanvas.js"
};
static const unsigned char heattable_js[] = {
#embed "files/heattable.js"
};
static const unsigned char main_js[] = {
#embed "files/main.js"
};
static const unsigned char nodes_js[] = {
#embed "files/nodes.js"
};
static const unsigned char notice_js[] = {
#embed "files/notice.js"
};
static const unsigned char phases_js[] = {
#embed "files/phases.js"
};
static const unsigned char rates_js[] = {
#embed "files/rates.js"
};
static const unsigned char routing_js[] = {
#embed "files/routing.js"
};
static const unsigned char tip_js[] = {
#embed "files/tip.js"
};

#define PAGE_FILE(path, content_type, bytes) {path, content_type, bytes, sizeof bytes}
#define HTML "text/html; charset=utf-8"
#define IMAGE "image/svg+xml"
#define SCRIPT "text/javascript; charset=utf-8"
#define STYLE "text/css; charset=utf-8"

static const struct page_file files[] = {
    PAGE_FILE("/", HTML, index_html),
    // Asked for by some browsers whatever the page says.
    PAGE_FILE("/favicon.ico", IMAGE, icon_svg),
    PAGE_FILE("/page/icon.svg", IMAGE, icon_svg),
    PAGE_FILE("/page/style.css", STYLE, style_css),
    PAGE_FILE("/page/chat.css", STYLE, chat_css),
    PAGE_FILE("/page/cluster.css", STYLE, cluster_css),
    PAGE_FILE("/page/experts.css", STYLE, experts_css),
    PAGE_FILE("/page/answer.js", SCRIPT, answer_js),
    PAGE_FILE("/page/api.js", SCRIPT, api_js),
    PAGE_FILE("/page/chat.js", SCRIPT, chat_js),
    PAGE_FILE("/page/cluster.js", SCRIPT, cluster_js),
    PAGE_FILE("/page/connection.js", SCRIPT, connection_js),
    PAGE_FILE("/page/conversation.js", SCRIPT, conversation_js),
    PAGE_FILE("/page/dom.js", SCRIPT, dom_js),
    PAGE_FILE("/page/events.js", SCRIPT, events_js),
    PAGE_FILE("/page/experts.js", SCRIPT, experts_js),
    PAGE_FILE("/page/format.js", SCRIPT, format_js),
    PAGE_FILE("/page/heatcanvas.js", SCRIPT, heatcanvas_js),
    PAGE_FILE("/page/heattable.js", SCRIPT, heattable_js),
    PAGE_FILE("/page/main.js", SCRIPT, main_js),
    PAGE_FILE("/page/nodes.js", SCRIPT, nodes_js),
    PAGE_FILE("/page/notice.js", SCRIPT, notice_js),
    PAGE_FILE("/page/phases.js", SCRIPT, phases_js),
    PAGE_FILE("/page/rates.js", SCRIPT, rates_js),
    PAGE_FILE("/page/routing.js", SCRIPT, routing_js),
    PAGE_FILE("/page/tip.js", SCRIPT, tip_js),
};

const struct page_file *page_files(void) { return files; }

size_t page_file_count(void) { return sizeof files / sizeof files[0]; }
