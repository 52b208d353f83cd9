// One process or thread at a time for the few files that several share. A help where the file system can lock folders, and
// nothing that correctness of the features rests on.
#ifndef TUB_FOLDER_LOCK_H
#define TUB_FOLDER_LOCK_H

int tub_folder_lock(const char *folder);    // blocks; -1 where it can't lock
void tub_folder_unlock(int lock);           // accepts -1

#endif
