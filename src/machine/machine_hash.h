// The hash that identifies a machine in profiles.
#ifndef TUB_MACHINE_HASH_H
#define TUB_MACHINE_HASH_H

// The hash of tub_machine_info, without examining anything else. 33 bytes.
void tub_machine_hash(char out[40]);

#endif
