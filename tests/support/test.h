/* What every unit test includes: cmocka and the headers that it wants before itself. */
#ifndef TESTS_SUPPORT_TEST_H
#define TESTS_SUPPORT_TEST_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <setjmp.h>
#include <cmocka.h>

#define TEST_COUNT(array) (sizeof(array) / sizeof *(array))

#endif
