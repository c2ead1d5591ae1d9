/* The one user and the one organisation there are: constants, for clients that ask who they are before they ask what
 * there is. */
#include <string.h>

#include "coordinator/http/surface.h"

#define ORGANISATION "00Dxx0000000001"
#define USER         "005xx0000000001"
#define USER_NAME    "bgop"

/* 18 characters of 15. */
static const char *whole(char id[ID_SIZE], const char *id15)
{
    memcpy(id, id15, ID_LENGTH - 3);
    id_suffix(id15, id + ID_LENGTH - 3);
    return id;
}

static bool is_id(const char *text, const char *id15)
{
    char id[ID_SIZE];

    return strcmp(text, id15) == 0 || strcmp(text, whole(id, id15)) == 0;
}

json_t *identity_url(const char *base)
{
    char organisation[ID_SIZE], user[ID_SIZE];

    return json_sprintf("%s/id/%s/%s", base, whole(organisation, ORGANISATION), whole(user, USER));
}

void show_userinfo(void *arg, const struct http_request *request, struct http_answer *answer)
{
    struct call call = { .endpoint = arg, .request = request, .answer = answer };
    char organisation[ID_SIZE], user[ID_SIZE], base[512];

    call_base(&call, base, sizeof base);
    call_answer(&call, 200,
                json_pack("{s:o, s:s, s:s, s:s, s:s}", "id", identity_url(base), "user_id", whole(user, USER),
                          "organization_id", whole(organisation, ORGANISATION), "username", USER_NAME,
                          "preferred_username", USER_NAME));
}

void show_identity(void *arg, const struct http_request *request, struct http_answer *answer)
{
    if (is_id(http_param(request, "org"), ORGANISATION) && is_id(http_param(request, "user"), USER))
        show_userinfo(arg, request, answer);
    else
        answer_not_found(answer);
}

bool show_user(struct call *call, const char *id)
{
    char user[ID_SIZE];

    if (!is_id(id, USER))
        return false;
    whole(user, USER);
    call_answer(call, 200,
                json_pack("{s:{s:s, s:o}, s:s, s:s, s:s}", "attributes", "type", "User", "url",
                          json_sprintf("/services/data/v%d.0/sobjects/User/%s", call->version, user), "Id", user,
                          "Username", USER_NAME, "Name", USER_NAME));
    return true;
}
