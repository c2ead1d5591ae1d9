/* Commands: arguments collected without copying, written as RESP in one pass. A call of 500 operations has about
 * 7,000 arguments, so nothing here allocates or formats through printf per argument. */
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/redis/edge.h"

enum { NUMBER_SIZE = REDIS_SLOT_SIZE };

_Static_assert((int)NUMBER_SIZE >= (int)sizeof "-9223372036854775808" - 1, "any number fits");

/* numbers is the newest chunk; its first bytes point to the one before, so that arguments stay valid as it grows. */
struct chunk_head {
    char *before;
};

static const char digit_pairs[] = "00010203040506070809101112131415161718192021222324252627282930313233343536373839"
                                  "40414243444546474849505152535455565758596061626364656667686970717273747576777879"
                                  "8081828384858687888990919293949596979899";

/* Decimal digits of value, right-aligned at end; returns the first. */
static char *write_backwards(char *end, uint64_t value)
{
    while (value >= 100) {
        end -= 2;
        memcpy(end, digit_pairs + 2 * (value % 100), 2);
        value /= 100;
    }
    if (value >= 10) {
        end -= 2;
        memcpy(end, digit_pairs + 2 * value, 2);
    } else {
        *--end = (char)('0' + value);
    }
    return end;
}

static size_t write_number(char *to, int64_t number)
{
    char digits[NUMBER_SIZE];
    char *end = digits + sizeof digits;
    char *first = write_backwards(end, number < 0 ? 0 - (uint64_t)number : (uint64_t)number);

    if (number < 0)
        *--first = '-';
    memcpy(to, first, (size_t)(end - first));
    return (size_t)(end - first);
}

void redis_command_init(struct redis_command *command)
{
    memset(command, 0, sizeof *command);
}

static void free_chunks(char *chunk)
{
    while (chunk) {
        char *before = ((struct chunk_head *)(void *)chunk)->before;

        free(chunk);
        chunk = before;
    }
}

void redis_command_release(struct redis_command *command)
{
    free(command->args);
    free_chunks(command->numbers);
    redis_command_init(command);
}

void redis_command_clear(struct redis_command *command)
{
    command->count = 0;
    if (command->numbers) {
        struct chunk_head *head = (struct chunk_head *)(void *)command->numbers;

        free_chunks(head->before);
        head->before = NULL;
        command->numbers_used = sizeof(struct chunk_head);
    }
}

void redis_command_set(struct redis_command *command, size_t index, const char *data, size_t size)
{
    BGOP_ASSERT(index < command->count);
    command->args[index] = (struct redis_arg){ size ? data : "", size };
}

void redis_command_set_text(struct redis_command *command, size_t index, const char *text)
{
    redis_command_set(command, index, text, strlen(text));
}

size_t redis_command_add_fields(struct redis_command *command, size_t count)
{
    size_t first = command->count;

    for (size_t i = 0; i < count; i++)
        redis_command_add(command, "", 0);
    return first;
}

void redis_command_add(struct redis_command *command, const char *data, size_t size)
{
    GROW(command->args, command->count, command->capacity);
    command->args[command->count++] = (struct redis_arg){ size ? data : "", size };
}

void redis_command_add_text(struct redis_command *command, const char *text)
{
    redis_command_add(command, text, strlen(text));
}

char *redis_command_slot(struct redis_command *command)
{
    if (!command->numbers || command->numbers_used + NUMBER_SIZE > command->numbers_capacity) {
        size_t capacity = command->numbers ? 2 * command->numbers_capacity : 1024;
        char *chunk = xmalloc(capacity);

        ((struct chunk_head *)(void *)chunk)->before = command->numbers;
        command->numbers = chunk;
        command->numbers_capacity = capacity;
        command->numbers_used = sizeof(struct chunk_head);
    }
    command->numbers_used += NUMBER_SIZE;
    return command->numbers + command->numbers_used - NUMBER_SIZE;
}

void redis_command_set_int(struct redis_command *command, size_t index, int64_t number)
{
    char *slot = redis_command_slot(command);

    redis_command_set(command, index, slot, write_number(slot, number));
}

void redis_command_set_uint(struct redis_command *command, size_t index, uint64_t number)
{
    char *slot = redis_command_slot(command);
    char digits[NUMBER_SIZE];
    char *first = write_backwards(digits + sizeof digits, number);
    size_t size = (size_t)(digits + sizeof digits - first);

    memcpy(slot, first, size);
    redis_command_set(command, index, slot, size);
}

void redis_command_add_int(struct redis_command *command, int64_t number)
{
    redis_command_set_int(command, redis_command_add_fields(command, 1), number);
}

void redis_command_add_uint(struct redis_command *command, uint64_t number)
{
    redis_command_set_uint(command, redis_command_add_fields(command, 1), number);
}

size_t redis_command_wire_max(const struct redis_command *command)
{
    size_t size = NUMBER_SIZE + 3;

    for (size_t i = 0; i < command->count; i++)
        size += NUMBER_SIZE + 5 + command->args[i].size;
    return size;
}

static char *write_head(char *to, char kind, size_t number)
{
    *to++ = kind;
    to += write_number(to, (int64_t)number);
    *to++ = '\r';
    *to++ = '\n';
    return to;
}

char *redis_command_write(const struct redis_command *command, char *to)
{
    to = write_head(to, '*', command->count);
    for (size_t i = 0; i < command->count; i++) {
        const struct redis_arg *arg = &command->args[i];

        to = write_head(to, '$', arg->size);
        memcpy(to, arg->data, arg->size);
        to += arg->size;
        *to++ = '\r';
        *to++ = '\n';
    }
    return to;
}
