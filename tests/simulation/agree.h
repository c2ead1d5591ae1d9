/* bgop_check, which `bgopctl doctor` believes, against the simulated world. */
#ifndef TESTS_SIMULATION_AGREE_H
#define TESTS_SIMULATION_AGREE_H

struct world;

/* Fails the world when bgop_check finds anything wrong in this shard (a shard that replays its log is passed over). */
void agreement_check(struct world *world, int shard);

#endif
