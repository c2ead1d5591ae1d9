#include "common/server/causes.h"

#include <stddef.h>
#include <string.h>

#include <librdkafka/rdkafka.h>

#define ANY     RD_KAFKA_RESP_ERR_NO_ERROR
#define E(name) RD_KAFKA_RESP_ERR_##name

/* The first entry whose code and words fit. librdkafka tells much in words only: one code stands for a refused connection
 * and for a port that speaks something else. */
/* clang-format off */
static const struct { rd_kafka_resp_err_t code; const char *words; const char *cause; } causes[] = {
    { ANY, "wrong version number", "that port speaks plain text: set security.protocol in [kafka] to plaintext, or sasl_plaintext" },
    { ANY, "record layer failure", "that port speaks plain text: set security.protocol in [kafka] to plaintext, or sasl_plaintext" },
    { ANY, "certificate verify failed", "is ssl.ca.location in [kafka] the CA of the brokers' certificates, and do these name the host?" },
    { E(_SSL), "certificate", "does the broker accept this client's certificate (ssl.certificate.location, ssl.key.location in [kafka])?" },
    { ANY, "unexpected eof", "does that port speak TLS? If not, set security.protocol in [kafka] to plaintext, or sasl_plaintext" },
    { E(_SSL), NULL, "are the ssl properties and security.protocol in [kafka] right?" },
    { ANY, "not valid in current SASL state", "that listener wants no login: set security.protocol in [kafka] to plaintext, or ssl" },
    { E(_AUTHENTICATION), "mechanism SCRAM", "are sasl.username and sasl.password in [kafka] right? librdkafka before 2.6.1 cannot log in by SCRAM to Kafka 4: use sasl.mechanism = PLAIN, over TLS" },
    { E(_AUTHENTICATION), "mechanism", "does the broker know this sasl.mechanism (see [kafka])?" },
    { E(_AUTHENTICATION), "Disconnected", "does that listener want a login: are security.protocol and sasl.mechanism in [kafka] right?" },
    { E(_AUTHENTICATION), NULL, "are sasl.username, sasl.password and sasl.mechanism in [kafka] right?" },
    { E(SASL_AUTHENTICATION_FAILED), NULL, "are sasl.username, sasl.password and sasl.mechanism in [kafka] right?" },
    { E(UNSUPPORTED_SASL_MECHANISM), NULL, "does the broker know this sasl.mechanism (see [kafka])?" },
    { E(ILLEGAL_SASL_STATE), NULL, "does that listener want a login at all? See security.protocol in [kafka]" },
    { E(_RESOLVE), NULL, "is the host name right?" },
    { ANY, "resolve", "is the host name right?" },
    { ANY, "require SASL", "that listener wants a login: set security.protocol and the sasl properties in [kafka]" },
    { ANY, "SSL listener", "does that port want TLS or a login (security.protocol in [kafka]), and is it a Kafka broker?" },
    { ANY, "ApiVersion", "is that a Kafka broker, on a listener for clients, without TLS or login? See security.protocol in [kafka]" },
    { ANY, "Invalid response size", "what answers there is no Kafka broker: is the port right?" },
    { ANY, "nvalid message size", "what answers there is no Kafka broker: is the port right?" },
    { ANY, "refused", "is the broker running there, and is the port right?" },
    { ANY, "setup timed out", "is the address right, and does a firewall drop packets?" },
    { ANY, "No route to host", "is the address right, and is there a route to it?" },
    { ANY, "Network is unreachable", "is the address right, and is the network up?" },
    { ANY, "Too many open files", "this process may open no more files (ulimit -n)" },
    { E(_BAD_MSG), NULL, "what answers there is no Kafka broker: is the port right?" },
    { E(TOPIC_AUTHORIZATION_FAILED), NULL, "this Kafka user may not: it needs Read, Write and Describe on the queue's topics (kafka-acls)" },
    { E(GROUP_AUTHORIZATION_FAILED), NULL, "this Kafka user may not: it needs Read on the queue's consumer groups (kafka-acls)" },
    { E(CLUSTER_AUTHORIZATION_FAILED), NULL, "this Kafka user may not: it needs IdempotentWrite, and the coordinator Create, on the cluster (kafka-acls)" },
    { E(UNKNOWN_TOPIC_OR_PART), NULL, "does the topic exist? bgop-coordinator creates it" },
    { E(_UNKNOWN_TOPIC), NULL, "does the topic exist? bgop-coordinator creates it" },
    { E(_UNKNOWN_PARTITION), NULL, "does the topic have as many partitions as the queue expects?" },
    { E(MSG_SIZE_TOO_LARGE), NULL, "it is larger than max.message.bytes of the topic (message.max.bytes of the brokers) allows" },
    { E(RECORD_LIST_TOO_LARGE), NULL, "it is larger than max.message.bytes of the topic allows" },
    { E(NOT_ENOUGH_REPLICAS), NULL, "fewer brokers are in sync than min.insync.replicas asks for: do all of them run?" },
    { E(NOT_ENOUGH_REPLICAS_AFTER_APPEND), NULL, "fewer brokers are in sync than min.insync.replicas asks for: do all of them run?" },
    { E(LEADER_NOT_AVAILABLE), NULL, "the brokers are choosing a leader: wait, or look whether all of them run" },
    { E(COORDINATOR_NOT_AVAILABLE), NULL, "the brokers are choosing a coordinator: wait, or look whether all of them run" },
    { E(_WAIT_COORD), NULL, "the brokers are choosing a coordinator: wait, or look whether all of them run" },
    { E(KAFKA_STORAGE_ERROR), NULL, "the broker cannot write its log: is its disk full?" },
    { E(POLICY_VIOLATION), NULL, "a policy of the brokers forbids it" },
    { E(UNSUPPORTED_VERSION), NULL, "the brokers are too old for this request" },
    { E(_MSG_TIMED_OUT), NULL, "do the brokers run, and can their advertised.listeners be reached from here?" },
    { E(_TIMED_OUT), NULL, "do the brokers run, and can their advertised.listeners be reached from here?" },
    { E(_TIMED_OUT_QUEUE), NULL, "do the brokers run, and can their advertised.listeners be reached from here?" },
    { E(_ALL_BROKERS_DOWN), NULL, "do the brokers run, and can their advertised.listeners be reached from here?" },
    { E(_TRANSPORT), NULL, "do the brokers run, and is the port right?" },
};
/* clang-format on */

const char *kafka_cause(int code, const char *text)
{
    for (size_t i = 0; i < sizeof causes / sizeof *causes; i++) {
        if ((causes[i].code == ANY || causes[i].code == code) && (!causes[i].words || strstr(text, causes[i].words)))
            return causes[i].cause;
    }
    return "";
}

bool kafka_cause_replaces(int code, const char *text, int code_before)
{
    bool says_why = code == E(_AUTHENTICATION) || code == E(_SSL) || code == E(_RESOLVE);
    bool is_vague = code == E(_ALL_BROKERS_DOWN) || (code == E(_TRANSPORT) && strstr(text, ": Disconnected"));

    if (says_why || code_before == ANY)
        return says_why || code == E(_TRANSPORT) || code == E(_ALL_BROKERS_DOWN) || code == E(_BAD_MSG);
    return !is_vague && (code == E(_TRANSPORT) || code == E(_BAD_MSG));
}
