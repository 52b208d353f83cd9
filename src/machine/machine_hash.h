// The name of a machine in profiles.
#ifndef TUB_MACHINE_HASH_H
#define TUB_MACHINE_HASH_H

// As tub_machine_info has it, without looking at anything else. 33 characters.
void tub_machine_hash(char out[40]);

#endif
