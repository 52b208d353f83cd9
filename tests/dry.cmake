# The plug-in on a machine without a GPU, in two ways.
#
# cuda/test_cuda_plugin: the plug-in itself, where the only driver takes code and doesn't start (fakes/dry_cuda.c).
# cuda/test_cuda_dry: whole programs by the plug-in's own files on cards that compute nothing (fakes/dry_gpu.h).
set(dry ${fakes}/dry)
add_library(dry_cuda MODULE fakes/dry_cuda.c)
set_target_properties(dry_cuda PROPERTIES OUTPUT_NAME cuda SUFFIX .so.1 LIBRARY_OUTPUT_DIRECTORY ${dry}/driver
  C_VISIBILITY_PRESET default)
tubelet_flags(dry_cuda)

# The plug-in's own files once more, so that the test sees into it.
target_sources(test_cuda_plugin PRIVATE ${cuda_sources} ${cuda_objects})
target_link_libraries(test_cuda_plugin PRIVATE ${TUBELET_CUDART} ${CMAKE_DL_LIBS} rt)
target_include_directories(test_cuda_plugin PRIVATE ${cuda_folder}/plugin fakes)
target_include_directories(test_cuda_plugin SYSTEM PRIVATE ${TUBELET_CUBLASLT_INCLUDE} ${TUBELET_CUDNN_INCLUDE})
target_compile_definitions(test_cuda_plugin PRIVATE TEST_CUDA_PLUGIN="$<TARGET_FILE:tubelet_cuda>")
add_dependencies(test_cuda_plugin tubelet_cuda dry_cuda)
# In front of a driver that is there: everywhere the same.
set_tests_properties(cuda/test_cuda_plugin PROPERTIES ENVIRONMENT_MODIFICATION
  "LD_LIBRARY_PATH=path_list_prepend:${dry}/driver")

if(NOT TARGET test_cuda_dry)
  return()
endif()
string(REGEX MATCH "^[0-9]+" cuda_major ${CMAKE_CUDA_COMPILER_VERSION})
add_library(dry_runtime SHARED fakes/dry_runtime.c fakes/dry_kernels.c)
add_library(dry_cublaslt MODULE fakes/dry_cublaslt.c)
add_library(dry_cudnn MODULE fakes/dry_cudnn.c)
add_library(dry_plugin MODULE ${cuda_sources} ${cuda_objects})
target_include_directories(dry_plugin PRIVATE ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/src/base ${cuda_folder})
set_target_properties(dry_cublaslt PROPERTIES OUTPUT_NAME cublasLt SUFFIX .so.${cuda_major})
set_target_properties(dry_cudnn PROPERTIES OUTPUT_NAME cudnn SUFFIX .so.9)
target_compile_definitions(dry_cublaslt PRIVATE DRY_CUBLASLT="${TUBELET_CUBLASLT}")
target_compile_definitions(dry_cudnn PRIVATE DRY_CUDNN="${TUBELET_CUDNN}")
foreach(target dry_runtime dry_cublaslt dry_cudnn dry_plugin)
  set_target_properties(${target} PROPERTIES LIBRARY_OUTPUT_DIRECTORY ${dry} C_VISIBILITY_PRESET default LINKER_LANGUAGE C
    CUDA_RUNTIME_LIBRARY None) # what the stand-in hasn't is missed in linking
  target_include_directories(${target} SYSTEM PRIVATE ${TUBELET_CUBLASLT_INCLUDE} ${TUBELET_CUDNN_INCLUDE})
  target_link_options(${target} PRIVATE -Wl,--no-undefined)
  target_link_libraries(${target} PRIVATE Threads::Threads ${CMAKE_DL_LIBS})
  tubelet_flags(${target})
endforeach()
foreach(target dry_cublaslt dry_cudnn dry_plugin test_cuda_dry)
  target_link_libraries(${target} PRIVATE dry_runtime)
endforeach()
target_include_directories(test_cuda_dry PRIVATE fakes)
target_compile_definitions(test_cuda_dry PRIVATE TEST_DRY_PLUGIN="$<TARGET_FILE:dry_plugin>")
add_dependencies(test_cuda_dry dry_cuda dry_cublaslt dry_cudnn dry_plugin)
set_tests_properties(cuda/test_cuda_dry PROPERTIES ENVIRONMENT_MODIFICATION
  "XDG_CACHE_HOME=set:/proc/tubelet-tests;LD_LIBRARY_PATH=path_list_prepend:${dry}/driver;LD_LIBRARY_PATH=path_list_prepend:${dry}")
