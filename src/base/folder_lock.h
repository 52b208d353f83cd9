// Lets one process or thread at a time use the few files that several share. It helps if the file system can lock
// folders; the correctness of the features doesn't depend on it.
#ifndef TUB_FOLDER_LOCK_H
#define TUB_FOLDER_LOCK_H

int tub_folder_lock(const char *folder);    // blocks; -1 if it can't lock
void tub_folder_unlock(int lock);           // accepts -1

#endif
