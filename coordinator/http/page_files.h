/* The files of page/ as they are, embedded by embed.cmake. */
#ifndef BGOP_COORDINATOR_HTTP_PAGE_FILES_H
#define BGOP_COORDINATOR_HTTP_PAGE_FILES_H

#include <stddef.h>

extern const unsigned char page_html[], page_css[], page_js[], page_icon[];
extern const size_t page_html_size, page_css_size, page_js_size, page_icon_size;

#endif
