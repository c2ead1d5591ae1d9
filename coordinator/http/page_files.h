/* The files of page/ as they are, embedded by embed.cmake (coordinator/CMakeLists.txt lists them as well). */
#ifndef BGOP_COORDINATOR_HTTP_PAGE_FILES_H
#define BGOP_COORDINATOR_HTTP_PAGE_FILES_H

#include <stddef.h>

/* clang-format off */
/* XX(name, path, type) */
#define PAGE_FILES(XX) \
    XX(page_html, "/", "text/html; charset=utf-8") \
    XX(page_css, "/page.css", "text/css; charset=utf-8") \
    XX(page_elements_js, "/elements.js", "text/javascript; charset=utf-8") \
    XX(page_asking_js, "/asking.js", "text/javascript; charset=utf-8") \
    XX(page_acting_js, "/acting.js", "text/javascript; charset=utf-8") \
    XX(page_overview_js, "/overview.js", "text/javascript; charset=utf-8") \
    XX(page_operations_js, "/operations.js", "text/javascript; charset=utf-8") \
    XX(page_held_js, "/held.js", "text/javascript; charset=utf-8") \
    XX(page_js, "/page.js", "text/javascript; charset=utf-8") \
    XX(page_icon, "/icon.svg", "image/svg+xml")
/* clang-format on */

#define XX(name, path, type)           \
    extern const unsigned char name[]; \
    extern const size_t name##_size;
PAGE_FILES(XX)
#undef XX

#endif
