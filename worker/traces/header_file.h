/* The file of [traces] headers_file: what is sent along with spans, secrets most of the time. */
#ifndef BGOP_WORKER_TRACES_HEADER_FILE_H
#define BGOP_WORKER_TRACES_HEADER_FILE_H

#include <curl/curl.h>

#include "common/base/err.h"

enum { HEADER_FILE_MAX_BYTES = 64 * 1024 };

/* Adds its lines to *headers. Empty lines, and those that begin with #, are none. Errors name file and line, never what
 * stands there. path "": no file. */
enum status header_file_read(const char *path, struct curl_slist **headers, struct err *err) MUST_CHECK;

#endif
