// The cards that the stand-ins know. Numbers are from NVIDIA's data sheets and CUDA's table of compute capabilities.
#ifndef DRY_CARDS_H
#define DRY_CARDS_H

#include "dry_gpu.h"

static const dry_card dry_cards[] = {
    {"h100", "NVIDIA H100 80GB HBM3", 9, 0, 132, 85024112640u, 232448,
     "{\"deviceVer\":900,\"driverVer\":13000,\"cudaDeviceId\":0,\"deviceName\":\"H100\",\"totalGlobalMem\":85024112640,"
     "\"maxGridSize\":[2147483647,65535,65535],\"maxBlockSize\":[1024,1024,64],\"regsPerBlock\":65536,"
     "\"multiProcessorCount\":132,\"smClockRateKHz\":1980000,\"memClockRateKHz\":2619000,\"l2CacheSize\":52428800,"
     "\"warpSize\":32,\"maxSharedMemoryPerBlock\":49152,\"maxSharedMemoryPerBlockOptin\":232448,"
     "\"reservedSharedMemoryPerBlock\":1024,\"maxRegistersPerSM\":65536,\"pciDeviceId\":0,\"maxCtasPerSM\":32,"
     "\"maxThreadsPerBlock\":1024,\"maxThreadsPerSM\":2048,\"isTccDriver\":0,\"supportCoopLaunch\":1}"},
    {"a100", "NVIDIA A100-SXM4-40GB", 8, 0, 108, 42949672960u, 166912,
     "{\"deviceVer\":800,\"driverVer\":13000,\"cudaDeviceId\":0,\"deviceName\":\"A100\",\"totalGlobalMem\":42949672960,"
     "\"maxGridSize\":[2147483647,65535,65535],\"maxBlockSize\":[1024,1024,64],\"regsPerBlock\":65536,"
     "\"multiProcessorCount\":108,\"smClockRateKHz\":1410000,\"memClockRateKHz\":1215000,\"l2CacheSize\":41943040,"
     "\"warpSize\":32,\"maxSharedMemoryPerBlock\":49152,\"maxSharedMemoryPerBlockOptin\":166912,"
     "\"reservedSharedMemoryPerBlock\":1024,\"maxRegistersPerSM\":65536,\"pciDeviceId\":0,\"maxCtasPerSM\":32,"
     "\"maxThreadsPerBlock\":1024,\"maxThreadsPerSM\":2048,\"isTccDriver\":0,\"supportCoopLaunch\":1}"},
    {"t4", "Tesla T4", 7, 5, 40, 15828320256u, 65536,
     "{\"deviceVer\":750,\"driverVer\":13000,\"cudaDeviceId\":0,\"deviceName\":\"T4\",\"totalGlobalMem\":15828320256,"
     "\"maxGridSize\":[2147483647,65535,65535],\"maxBlockSize\":[1024,1024,64],\"regsPerBlock\":65536,"
     "\"multiProcessorCount\":40,\"smClockRateKHz\":1590000,\"memClockRateKHz\":5001000,\"l2CacheSize\":4194304,"
     "\"warpSize\":32,\"maxSharedMemoryPerBlock\":49152,\"maxSharedMemoryPerBlockOptin\":65536,"
     "\"reservedSharedMemoryPerBlock\":0,\"maxRegistersPerSM\":65536,\"pciDeviceId\":0,\"maxCtasPerSM\":16,"
     "\"maxThreadsPerBlock\":1024,\"maxThreadsPerSM\":1024,\"isTccDriver\":0,\"supportCoopLaunch\":1}"},
    {"v100", "Tesla V100-SXM2-16GB", 7, 0, 80, 16945512448u, 98304, NULL}, // cuDNN 9.13 knows no card below 7.5
};

#endif
