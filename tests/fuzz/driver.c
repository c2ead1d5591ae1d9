/* Runs a fuzz entry without a fuzzer: over each file of a corpus, then over seeded mutations of them, the same ones
 * each time. Inputs are copied to blocks of their own size, so that sanitizers see a byte too far.
 *   fuzz_<thing> MUTATIONS FOLDER|FILE... */
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/memory.h"
#include "common/base/text.h"
#include "tests/fuzz/fuzz.h"

struct input {
    char *data;
    size_t size;
};
static struct input *inputs;
static size_t input_count, input_capacity;

static struct input current; /* what runs now, for the report of a crash */

static void on_crash(int number)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < current.size && i < 2000; i++) {
        char hex[2] = { digits[(unsigned char)current.data[i] >> 4], digits[current.data[i] & 15] };
        ssize_t written = write(STDERR_FILENO, hex, 2);
        (void)written;
    }
    signal(number, SIG_DFL);
    raise(number);
}

static void run(const char *data, size_t size)
{
    current = (struct input){ malloc(size ? size : 1), size };
    if (size)
        memcpy(current.data, data, size);
    LLVMFuzzerTestOneInput((const uint8_t *)current.data, size);
    free(current.data);
}

static void read_file(const char *path)
{
    enum { FILE_MAX_BYTES = 1 << 20 };
    FILE *file = fopen(path, "rb");

    if (!file) {
        perror(path);
        exit(1);
    }
    GROW(inputs, input_count, input_capacity);
    inputs[input_count].data = xmalloc(FILE_MAX_BYTES);
    inputs[input_count].size = fread(inputs[input_count].data, 1, FILE_MAX_BYTES, file);
    input_count++;
    fclose(file);
}

static void read_corpus(const char *path)
{
    struct stat status;
    struct dirent **entries;

    if (stat(path, &status) != 0 || !S_ISDIR(status.st_mode)) {
        read_file(path);
        return;
    }
    int count = scandir(path, &entries, NULL, alphasort);
    for (int i = 0; i < count; i++) {
        char name[4096];
        snprintf(name, sizeof name, "%s/%s", path, entries[i]->d_name);
        if (entries[i]->d_name[0] != '.')
            read_file(name);
        free(entries[i]);
    }
    free(entries);
}

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* One to four changes: a byte, a bit, a piece gone, a piece twice, a piece of another input. */
static size_t mutate(char *to, size_t size, size_t room, uint64_t *random)
{
    for (uint64_t changes = next_random(random) % 4 + 1; changes > 0; changes--) {
        size_t at = size ? next_random(random) % size : 0;
        size_t piece = size ? next_random(random) % (size - at) + 1 : 0;
        const struct input *other = &inputs[next_random(random) % input_count];
        size_t from = other->size ? next_random(random) % other->size : 0;
        size_t taken = other->size ? next_random(random) % (other->size - from) + 1 : 0;
        switch (size ? next_random(random) % 5 : 4) {
        case 0: to[at] = (char)next_random(random); break;
        case 1: to[at] = (char)(to[at] ^ 1 << next_random(random) % 8); break;
        case 2:
            memmove(to + at, to + at + piece, size - at - piece);
            size -= piece;
            break;
        case 3:
            if (size + piece <= room) {
                memmove(to + at + piece, to + at, size - at);
                size += piece;
            }
            break;
        default:
            if (size + taken <= room) {
                memmove(to + at + taken, to + at, size - at);
                memcpy(to + at, other->data + from, taken);
                size += taken;
            }
        }
    }
    return size;
}

int main(int argc, char **argv)
{
    enum { MUTANT_MAX_BYTES = 2 << 20 };
    uint64_t random = UINT64_C(0x9e3779b97f4a7c15);
    int64_t mutations;

    if (argc < 3 || !text_parse_int64(argv[1], 0, INT32_MAX, &mutations)) {
        fprintf(stderr, "usage: %s MUTATIONS FOLDER|FILE...\n", argv[0]);
        return 64;
    }
    signal(SIGABRT, on_crash);
    signal(SIGSEGV, on_crash);
    for (int i = 2; i < argc; i++)
        read_corpus(argv[i]);
    if (input_count == 0) {
        fprintf(stderr, "%s: no inputs\n", argv[0]);
        return 1;
    }
    for (size_t i = 0; i < input_count; i++)
        run(inputs[i].data, inputs[i].size);
    char *mutant = xmalloc(MUTANT_MAX_BYTES);
    for (int64_t i = 0; i < mutations; i++) {
        const struct input *input = &inputs[next_random(&random) % input_count];
        memcpy(mutant, input->data, input->size);
        run(mutant, mutate(mutant, input->size, MUTANT_MAX_BYTES, &random));
    }
    printf("%zu inputs, %lld mutations\n", input_count, (long long)mutations);
    free(mutant);
    for (size_t i = 0; i < input_count; i++)
        free(inputs[i].data);
    free(inputs);
    return 0;
}
