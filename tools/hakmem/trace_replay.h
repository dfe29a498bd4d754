/* trace_replay.h : runs a plan in the replayer under one allocator. */
#ifndef TRACE_REPLAY_H
#define TRACE_REPLAY_H

#include <jansson.h>
#include <stdbool.h>

#include "../record/replay_plan.h"

struct replay_run {
    struct replay_result result;
    json_t *samples;   /* [seconds, RSS above the baseline, faults] */
    bool served;       /* malloc came from the library that was asked for */
    char trouble[256]; /* "" or why there is no result */
};

/* One run. lib is a library's path or "" for the C library's own. */
struct replay_run replay_once(const char *plan, const char *lib, bool timing);

/* RSS of the replayer of this plan before its first allocation, under the C library's malloc: what a library adds to it by being loaded is
 * the difference to its result's baseline. 0 if the replayer does not run. */
uint64_t replay_baseline(const char *plan);

#endif
