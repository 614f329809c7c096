/* A C client with hiredis: set, get, a pipeline. Usage: hiredis PORT. Prints OK, or what is wrong. */
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void expect(redisContext* c, redisReply* reply, int type, const char* text) {
    if (reply == NULL || reply->type != type || (text != NULL && strcmp(reply->str, text) != 0)) {
        fprintf(stderr, "wrong reply: %s\n", reply == NULL ? c->errstr : reply->str);
        exit(1);
    }
    freeReplyObject(reply);
}

int main(int argc, char** argv) {
    redisContext* c = redisConnect("127.0.0.1", argc > 1 ? atoi(argv[1]) : 9090);
    redisReply* reply = NULL;
    if (c == NULL || c->err) {
        fprintf(stderr, "cannot connect\n");
        return 1;
    }
    expect(c, redisCommand(c, "SET %b %b", "a\0b", (size_t)3, "1\r\n2", (size_t)4), REDIS_REPLY_STATUS, "OK");
    expect(c, redisCommand(c, "GET %b", "a\0b", (size_t)3), REDIS_REPLY_STRING, "1\r\n2");
    expect(c, redisCommand(c, "GET none"), REDIS_REPLY_NIL, NULL);
    for (int i = 0; i < 1000; ++i) {
        redisAppendCommand(c, "INCR counter");
    }
    for (int i = 1; i <= 1000; ++i) {
        if (redisGetReply(c, (void**)&reply) != REDIS_OK || reply->integer != i) {
            fprintf(stderr, "wrong reply %d of the pipeline\n", i);
            return 1;
        }
        freeReplyObject(reply);
    }
    redisFree(c);
    puts("OK");
    return 0;
}
