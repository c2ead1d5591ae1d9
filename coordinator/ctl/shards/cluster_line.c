#include "coordinator/ctl/shards/cluster_line.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/text.h"

/* <id> <host:port@bus[,name]> <flag,flag...> <primary's id or -> <ping> <pong> <epoch> <link> <slot> <slot-slot> [slot->-id]... */
enum { LINE_ID, LINE_ADDRESS, LINE_FLAGS, LINE_WORDS = 8 };

struct word {
    const char *text;
    size_t size;
};

/* Words are separated by one blank each. Answers what stands behind the word. */
static const char *word_read(const char *from, const char *end, struct word *word)
{
    const char *blank = memchr(from, ' ', (size_t)(end - from));
    const char *behind = blank ? blank : end;

    *word = (struct word){ from, (size_t)(behind - from) };
    return blank ? blank + 1 : end;
}

static bool has_flag(struct word flags, const char *flag)
{
    size_t size = strlen(flag);

    for (const char *at = flags.text, *end = flags.text + flags.size; at < end;) {
        const char *comma = memchr(at, ',', (size_t)(end - at));
        size_t length = (size_t)((comma ? comma : end) - at);

        if (length == size && memcmp(at, flag, size) == 0)
            return true;
        at += length + 1;
    }
    return false;
}

/* "[::1]"? CLUSTER NODES writes ::1:6379@16379: the port stands behind the last colon before the @. */
static void address_read(struct word address, struct cluster_line *line)
{
    const char *at = memchr(address.text, '@', address.size);
    size_t size = at ? (size_t)(at - address.text) : address.size;
    const char *colon = memrchr(address.text, ':', size);

    if (colon && text_copy(line->host, sizeof line->host, address.text, (size_t)(colon - address.text)))
        line->port = (int)strtol(colon + 1, NULL, 10);
    else
        *line->host = '\0';
}

static bool line_read(const char *from, const char *end, struct cluster_line *line)
{
    struct word words[LINE_WORDS];
    const char *at = from;

    *line = (struct cluster_line){ .end = end };
    for (int i = 0; i < LINE_WORDS; i++) {
        at = word_read(at, end, &words[i]);
        if (words[i].size == 0)
            return false;
    }
    line->slots = at;
    if (!text_copy(line->id, sizeof line->id, words[LINE_ID].text, words[LINE_ID].size))
        return false;
    address_read(words[LINE_ADDRESS], line);
    line->myself = has_flag(words[LINE_FLAGS], "myself");
    line->primary = has_flag(words[LINE_FLAGS], "master");
    line->lost = has_flag(words[LINE_FLAGS], "fail") || has_flag(words[LINE_FLAGS], "noaddr") ||
                 has_flag(words[LINE_FLAGS], "handshake");
    return true;
}

bool cluster_line_next(const char **rest, struct cluster_line *line)
{
    while (**rest) {
        const char *from = *rest, *end = from + strcspn(from, "\r\n");

        *rest = end + strspn(end, "\r\n");
        if (line_read(from, end, line))
            return true;
    }
    return false;
}

enum cluster_slot_state cluster_line_slot(const struct cluster_line *line, int slot)
{
    enum cluster_slot_state mark = SLOT_ELSEWHERE;
    bool here = false;

    for (const char *at = line->slots; at < line->end;) {
        struct word word;
        char *behind;
        long first, last;

        at = word_read(at, line->end, &word);
        if (word.size > 1 && *word.text == '[') {
            if (strtol(word.text + 1, &behind, 10) == slot && behind < word.text + word.size - 2)
                mark = memcmp(behind, "->-", 3) == 0 ? SLOT_LEAVES : SLOT_ARRIVES;
            continue;
        }
        first = last = strtol(word.text, &behind, 10);
        if (*behind == '-')
            last = strtol(behind + 1, NULL, 10);
        here = here || (slot >= first && slot <= last && word.size > 0);
    }
    if (here)
        return mark == SLOT_LEAVES ? SLOT_LEAVES : SLOT_HERE;
    return mark == SLOT_ARRIVES ? SLOT_ARRIVES : SLOT_ELSEWHERE; /* a mark may outlive the slot */
}

bool cluster_line_myself(const char *text, struct cluster_line *line)
{
    while (cluster_line_next(&text, line)) {
        if (line->myself)
            return true;
    }
    return false;
}

bool cluster_line_of(const char *text, const char *id, struct cluster_line *line)
{
    while (cluster_line_next(&text, line)) {
        if (strcmp(line->id, id) == 0)
            return true;
    }
    return false;
}
