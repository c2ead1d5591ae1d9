/* The function library on Redis while the loops run: somebody may flush, delete or replace it at any time. Missing, or
 * of an older version than ours: ours is loaded again. Newer, or another build of this version: left alone, so that
 * coordinators of two versions (a rolling upgrade) do not load theirs in turns; only one that starts replaces what it
 * finds (daemon/startup.c). */
#ifndef BGOP_COORDINATOR_LOOP_LIBRARY_H
#define BGOP_COORDINATOR_LOOP_LIBRARY_H

#include "coordinator/loop/loop.h"

/* Looks, and loads when it must: once a second by whoever owns shards, and when a function was not found. ST_AGAIN: not
 * there, and not to be loaded; err says why. */
enum status library_ensure(struct loop *loop, struct err *err) MUST_CHECK;
/* Redis called the arguments of a call invalid: is that our own library's word? Else it is no verdict, and ST_AGAIN.
 * Another loop may have loaded ours since the call: who gives something up confirms it before a call and behind it. */
enum status library_confirm_ours(struct loop *loop, struct err *err) MUST_CHECK;

#endif
