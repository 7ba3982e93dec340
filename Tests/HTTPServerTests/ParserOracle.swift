import Foundation

/// Debian's http-parser as a second opinion: a C program that the test compiles where the library is installed, so that
/// the package does not depend on it.
enum ParserOracle {
    static let isAvailable =
        Program.isInstalled(Program.compiler) && FileManager.default.fileExists(atPath: "/usr/include/http_parser.h")

    /// Compiles the program into `directory`; says where it is.
    static func compile(in directory: TemporaryDirectory) throws -> String? {
        let (source, program) = (directory.path + "/oracle.c", directory.path + "/oracle")
        try Self.source.write(toFile: source, atomically: true, encoding: .utf8)
        let result = try runProgram(Program.compiler, ["-O1", "-o", program, source, "-lhttp_parser"])
        return result?.status == 0 ? program : nil
    }

    /// The complete requests of each input as the oracle sees them, up to its first error, in the form of
    /// `Transcript.lines` without what only our parser says.
    static func judge(_ inputs: [[UInt8]], program: String) throws -> [[String]] {
        var stream: [UInt8] = []
        for input in inputs {
            withUnsafeBytes(of: UInt32(input.count).littleEndian) { stream += $0 }
            stream += input
        }
        let output = try runProgram(program, [], input: stream)?.output ?? ""
        return output.split(separator: "\u{1E}").map { record in
            let lines = record.split(separator: "\u{1F}").map(String.init)
            return Array(lines[..<((lines.lastIndex(of: "end") ?? -1) + 1)])
        }
    }

    /// Reads length-prefixed inputs, writes a record for each: fields end with 0x1F, records with 0x1E.
    private static let source = """
        #include <http_parser.h>
        #include <stdint.h>
        #include <stdio.h>
        #include <stdlib.h>
        #include <string.h>
        #include <ctype.h>

        static char url[1 << 16], field[1 << 16], value[1 << 16], body[1 << 20];
        static size_t url_count, field_count, value_count, body_count;
        static int in_value, in_trailer;

        static void add(char *text, size_t *count, size_t limit, const char *at, size_t length) {
            if (*count + length < limit) { memcpy(text + *count, at, length); *count += length; }
        }
        static void flush_header(void) {
            if (!in_value) return;
            for (size_t i = 0; i < field_count; i++) field[i] = (char)tolower((unsigned char)field[i]);
            while (value_count && (value[value_count - 1] == ' ' || value[value_count - 1] == '\\t')) value_count--;
            if (!in_trailer) {
                fwrite(field, 1, field_count, stdout); putchar('='); fwrite(value, 1, value_count, stdout); putchar(31);
            }
            field_count = value_count = 0; in_value = 0;
        }
        static int on_begin(http_parser *p) {
            (void)p; url_count = field_count = value_count = body_count = 0; in_value = in_trailer = 0; return 0;
        }
        static int on_url(http_parser *p, const char *at, size_t n) {
            (void)p; add(url, &url_count, sizeof url, at, n); return 0;
        }
        static void flush_line(http_parser *p) {
            if (!url_count) return;
            printf("%s ", http_method_str(p->method)); fwrite(url, 1, url_count, stdout);
            printf(" HTTP/%d.%d%c", p->http_major, p->http_minor, 31); url_count = 0;
        }
        static int on_field(http_parser *p, const char *at, size_t n) {
            flush_line(p); flush_header(); add(field, &field_count, sizeof field, at, n); return 0;
        }
        static int on_value(http_parser *p, const char *at, size_t n) {
            (void)p; in_value = 1; add(value, &value_count, sizeof value, at, n); return 0;
        }
        static int on_headers(http_parser *p) { flush_line(p); flush_header(); in_trailer = 1; return 0; }
        static int on_body(http_parser *p, const char *at, size_t n) {
            (void)p; add(body, &body_count, sizeof body, at, n); return 0;
        }
        static int on_complete(http_parser *p) {
            (void)p;
            if (body_count) { printf("body "); fwrite(body, 1, body_count, stdout); putchar(31); }
            printf("end%c", 31); body_count = 0; in_value = 0; return 0;
        }
        int main(void) {
            http_parser_settings s; http_parser_settings_init(&s);
            s.on_message_begin = on_begin; s.on_url = on_url; s.on_header_field = on_field;
            s.on_header_value = on_value;
            s.on_headers_complete = on_headers; s.on_body = on_body; s.on_message_complete = on_complete;
            uint32_t length;
            while (fread(&length, 4, 1, stdin) == 1) {
                char *input = malloc(length + 1);
                if (length && fread(input, 1, length, stdin) != length) return 1;
                http_parser p; http_parser_init(&p, HTTP_REQUEST); on_begin(&p);
                size_t used = length ? http_parser_execute(&p, &s, input, length) : 0;
                printf("ready%c", 31);
                (void)used;
                putchar(30); free(input);
            }
            return 0;
        }
        """
}
