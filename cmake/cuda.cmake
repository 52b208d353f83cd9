# The plug-in of the CUDA backend (src/backends/cuda/plugin), where the toolkit with cuBLASLt and cuDNN is. All else is
# built without it.
#
# TUBELET_CUDA_ARCHITECTURES: which cards get code of their own. The default keeps a build short: machine code for three
# and an intermediate form that newer cards' drivers translate; `all`: all that the toolkit knows (make install, release).
set(TUBELET_CUDA_ARCHITECTURES "75-real;80-real;90" CACHE STRING "cards that get machine code of their own; all")

include(CheckLanguage)
if(NOT CMAKE_CUDA_COMPILER AND NOT DEFINED ENV{CUDACXX} AND EXISTS /usr/local/cuda/bin/nvcc)
  set(CMAKE_CUDA_COMPILER /usr/local/cuda/bin/nvcc)
endif()
check_language(CUDA)
if(NOT CMAKE_CUDA_COMPILER)
  message(STATUS "CUDA: no nvcc: the cuda backend's plug-in isn't built")
  return()
endif()
get_filename_component(cuda_toolkit ${CMAKE_CUDA_COMPILER} DIRECTORY)
find_path(TUBELET_CUBLASLT_INCLUDE cublasLt.h HINTS ${cuda_toolkit}/../include)
find_path(TUBELET_CUDNN_INCLUDE cudnn.h HINTS ${cuda_toolkit}/../include)
if(NOT TUBELET_CUBLASLT_INCLUDE OR NOT TUBELET_CUDNN_INCLUDE)
  message(STATUS "CUDA: no headers of cuBLASLt or cuDNN 9: the cuda backend's plug-in isn't built")
  return()
endif()
set(CMAKE_CUDA_ARCHITECTURES ${TUBELET_CUDA_ARCHITECTURES})
enable_language(CUDA)
set(cuda_folder ${PROJECT_SOURCE_DIR}/src/backends/cuda)
# A fused multiply-add stands where the code says fmaf(), as on the host.
file(GLOB cuda_kernels CONFIGURE_DEPENDS ${cuda_folder}/plugin/*.cu)
add_library(tub_cuda_kernels OBJECT ${cuda_kernels})
target_compile_options(tub_cuda_kernels PRIVATE --fmad=false -Xcompiler=-Wall,-Wextra,-ffp-contract=off)
if(TUBELET_WERROR)
  target_compile_options(tub_cuda_kernels PRIVATE --Werror=all-warnings)
endif()
file(GLOB cuda_sources CONFIGURE_DEPENDS ${cuda_folder}/plugin/*.c)
add_library(tubelet_cuda MODULE ${cuda_sources} $<TARGET_OBJECTS:tub_cuda_kernels>)
tubelet_flags(tubelet_cuda)
foreach(target tub_cuda_kernels tubelet_cuda)
  set_target_properties(${target} PROPERTIES CUDA_STANDARD 17 CUDA_VISIBILITY_PRESET hidden POSITION_INDEPENDENT_CODE ON
    CUDA_ARCHITECTURES "${TUBELET_CUDA_ARCHITECTURES}" CUDA_RUNTIME_LIBRARY Static LINKER_LANGUAGE C)
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/src/base ${cuda_folder})
  target_include_directories(${target} SYSTEM PRIVATE ${TUBELET_CUBLASLT_INCLUDE} ${TUBELET_CUDNN_INCLUDE})
endforeach()
set_target_properties(tubelet_cuda PROPERTIES LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR})
# The runtime is part of the plug-in; the driver, cuBLASLt and cuDNN are opened by it.
find_library(TUBELET_CUDART cudart_static HINTS ${cuda_toolkit}/../lib64 ${cuda_toolkit}/../lib REQUIRED)
target_link_libraries(tubelet_cuda PRIVATE ${TUBELET_CUDART} Threads::Threads ${CMAKE_DL_LIBS} rt)
target_link_options(tubelet_cuda PRIVATE -Wl,--no-undefined -Wl,--exclude-libs,ALL)
install(TARGETS tubelet_cuda LIBRARY DESTINATION lib)
