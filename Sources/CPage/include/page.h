// The files of the gateway's web page, as they are in `files/`, inside the program.
#ifndef COLONY_PAGE_H
#define COLONY_PAGE_H

#include <stddef.h>

/// One file of the page.
struct page_file {
    /// The path under which the gateway serves it.
    const char *path;
    /// The value of its `content-type`.
    const char *content_type;
    /// Its bytes.
    const unsigned char *bytes;
    /// How many they are.
    size_t byte_count;
};

/// All files, `page_file_count()` of them.
const struct page_file *page_files(void);

/// How many files there are.
size_t page_file_count(void);

#endif
