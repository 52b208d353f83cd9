# The plug-in's kernels on the host (emulator/emulator.h): its .cu files compiled as C++, by headers that stand in for the
# toolkit's. Not under sanitizers: threads are fibres that jump from stack to stack, of which ASan and TSan know nothing; what
# UBSan finds is checked here by the compiler's own traps.
include(CheckLanguage)
check_language(CXX)
if(TUBELET_SANITIZE OR NOT CMAKE_CXX_COMPILER)
  if(NOT TUBELET_SANITIZE)
    message(STATUS "no C++ compiler: the CUDA kernels aren't run on the host")
  endif()
  return()
endif()
enable_language(CXX)
include(CheckCXXCompilerFlag)
check_cxx_compiler_flag(-fsanitize-undefined-trap-on-error TUBELET_CXX_TRAPS)
check_cxx_compiler_flag(-ftrivial-auto-var-init=pattern TUBELET_CXX_PATTERNS)
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY) # its library isn't wanted
check_cxx_compiler_flag(-fsanitize=thread TUBELET_CXX_ACCESSES)
unset(CMAKE_TRY_COMPILE_TARGET_TYPE)

set(plugin ${PROJECT_SOURCE_DIR}/src/backends/cuda/plugin)
set(emulated_flags -O2 -ffp-contract=off -fno-math-errno -Wall -Wextra -Wshadow -U_FORTIFY_SOURCE)
if(TUBELET_WERROR)
  list(APPEND emulated_flags -Werror)
endif()
file(GLOB emulated_kernels CONFIGURE_DEPENDS ${plugin}/*.cu)
file(GLOB emulator_sources CONFIGURE_DEPENDS emulator/emulated_*.cpp)
file(GLOB broken_kernels CONFIGURE_DEPENDS emulator/broken_*.cu) # of tests of the emulator itself
set_source_files_properties(${emulated_kernels} ${broken_kernels} PROPERTIES LANGUAGE CXX)
add_library(emulated_kernels OBJECT ${emulated_kernels})
add_library(watched_kernels OBJECT ${emulated_kernels})
add_library(broken_kernels OBJECT ${broken_kernels})
add_library(gpu_emulator STATIC ${emulator_sources} $<TARGET_OBJECTS:watched_kernels>)
foreach(target emulated_kernels watched_kernels broken_kernels gpu_emulator)
  set_target_properties(${target} PROPERTIES CXX_STANDARD 17 CXX_STANDARD_REQUIRED ON CXX_VISIBILITY_PRESET hidden)
  # First, in front of a toolkit's own headers.
  target_include_directories(${target} BEFORE PUBLIC emulator)
  target_include_directories(${target} PUBLIC ${plugin} ${PROJECT_SOURCE_DIR}/src/backends/cuda ${PROJECT_SOURCE_DIR}/src/base
    ${PROJECT_SOURCE_DIR}/include)
  target_compile_definitions(${target} PRIVATE _GNU_SOURCE)
  target_compile_options(${target} PRIVATE ${emulated_flags})
endforeach()
# As nvcc compiles them for 9.0. Memory is read as other types than it was written as, as on a device.
foreach(target emulated_kernels watched_kernels broken_kernels)
  target_compile_definitions(${target} PRIVATE TUB_GPU_EMULATED __CUDACC__ __CUDA_ARCH__=900 __CUDA_ARCH_LIST__=900
    TUB_CUDA_FORMS= TUB_CUDA_WIDE=1)
  target_compile_options(${target} PRIVATE -fno-strict-aliasing -Wno-unknown-pragmas -Wno-unused-function -Wno-psabi)
  if(TUBELET_CXX_TRAPS)
    target_compile_options(${target} PRIVATE -fsanitize=undefined,float-cast-overflow -fsanitize-undefined-trap-on-error)
  endif()
  if(TUBELET_CXX_PATTERNS)
    target_compile_options(${target} PRIVATE -ftrivial-auto-var-init=pattern)
  endif()
endforeach()
# Accesses to memory are told to emulated_races.cpp, in whole networks not: there they take too long.
if(TUBELET_CXX_ACCESSES)
  target_compile_options(watched_kernels PRIVATE -fsanitize=thread)
  target_compile_options(broken_kernels PRIVATE -fsanitize=thread)
  target_compile_definitions(gpu_emulator INTERFACE EMULATOR_SEES_ACCESSES)
endif()
target_link_libraries(gpu_emulator PUBLIC test_support)

# The fake device, but by the plug-in's kernels, as a plug-in.
add_library(emulated_gpu MODULE support/fake_gpu_plugin.c support/fake_gpu.c support/fake_gpu_checks.c support/fake_library.c support/gpu_host_joined.c emulator/emulated_host.c
  $<TARGET_OBJECTS:gpu_emulator> $<TARGET_OBJECTS:emulated_kernels>)
target_include_directories(emulated_gpu PRIVATE emulator support ${plugin} ${PROJECT_SOURCE_DIR}/src/backends/cuda)
target_link_libraries(emulated_gpu PRIVATE tub_base)
tubelet_flags(emulated_gpu)
