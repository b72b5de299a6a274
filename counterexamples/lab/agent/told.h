/* What a program sees after a step: its field group. */
#ifndef TOLD_H
#define TOLD_H

/* Nothing has been told of this run. */
void begin_run(void);
void print_step(const char *outcome, long faults);

#endif
