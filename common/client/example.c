/* Submits one operation, waits for its end and prints its record:
 *   cc example.c $(pkg-config --cflags --libs libbgop) && BGOP_KAFKA=... BGOP_REDIS=... ./a.out WebCart hello */
#include <bgop/bgop.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void on_delivery(void *id, const struct bgop_delivery *delivery)
{
    if (delivery->code == BGOP_OK)
        memcpy(id, delivery->id, BGOP_ID_SIZE);
    else
        fprintf(stderr, "not submitted: %s\n", delivery->text);
}

int main(int argc, char **argv)
{
    struct bgop_config config = { .kafka = getenv("BGOP_KAFKA"), .redis = getenv("BGOP_REDIS") };
    struct bgop_submission submission = BGOP_SUBMISSION_INIT;
    struct bgop *bgop;
    char id[BGOP_ID_SIZE] = "", text[256], *record = NULL;

    if (bgop_open(&bgop, &config, text, sizeof text) != BGOP_OK)
        return fprintf(stderr, "%s\n", text), 1;
    submission.type = argc > 1 ? argv[1] : "WebCart";
    submission.payload = argc > 2 ? argv[2] : "hello";
    submission.payload_size = strlen(submission.payload);
    if (bgop_submit(bgop, &submission, on_delivery, id) != BGOP_OK || bgop_flush(bgop, 10000) != BGOP_OK ||
        bgop_wait(bgop, (const char *[]){ id }, 1, 30000, NULL) != BGOP_OK || bgop_get(bgop, id, &record) != BGOP_OK)
        fprintf(stderr, "%s\n", bgop_error(bgop));
    else if (puts(record) < 0 || fflush(stdout) != 0)
        perror("the record");
    bgop_close(bgop);
    return record ? bgop_free(record), ferror(stdout) != 0 : 1;
}
