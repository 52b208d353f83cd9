# ---- structure: the rules of the house (scripts/check-structure*.sh)
set(structure ${PROJECT_SOURCE_DIR}/scripts/check-structure)
find_program(STRUCTURE_CXX NAMES c++ g++ clang++)
if(NOT STRUCTURE_CXX)
  set(STRUCTURE_CXX "")
endif()
add_test(NAME structure/sources COMMAND ${structure}.sh ${PROJECT_SOURCE_DIR})
add_test(NAME structure/selftest COMMAND ${structure}-selftest.sh)
add_test(NAME structure/headers COMMAND ${structure}-headers.sh ${CMAKE_C_COMPILER} "${STRUCTURE_CXX}" ${PROJECT_SOURCE_DIR})
set_tests_properties(structure/sources structure/selftest structure/headers PROPERTIES LABELS structure TIMEOUT 120)
if(NOT TUBELET_SANITIZE) # sanitizers export symbols of their own
  add_test(NAME structure/exports COMMAND ${structure}-exports.sh $<TARGET_FILE:tubelet_shared> ${PROJECT_SOURCE_DIR})
  add_test(NAME structure/install COMMAND ${structure}-install.sh ${PROJECT_BINARY_DIR} ${CMAKE_C_COMPILER} ${STRUCTURE_CXX})
  set_tests_properties(structure/exports structure/install PROPERTIES LABELS structure TIMEOUT 120)
endif()
# ---- end of structure
# ---- fuzz: a fixed number of rounds of each target (fuzz/fuzz.h)
set(fuzz ${PROJECT_SOURCE_DIR}/fuzz)
set(golden ${CMAKE_CURRENT_SOURCE_DIR}/data/golden)
foreach(target safetensors torch npy config containers)
  add_executable(fuzz_${target} ${fuzz}/fuzz_${target}.c ${fuzz}/fuzz_driver.c ${fuzz}/fuzz_file.c)
  target_link_libraries(fuzz_${target} PRIVATE test_support)
  target_include_directories(fuzz_${target} PRIVATE ${fuzz})
  tubelet_flags(fuzz_${target})
endforeach()
# For tools/safetensors_verdict.py, which isn't a test: it needs PyPI's safetensors.
add_executable(verdict_safetensors ${fuzz}/verdict_safetensors.c ${fuzz}/fuzz_file.c)
target_link_libraries(verdict_safetensors PRIVATE test_support)
target_include_directories(verdict_safetensors PRIVATE ${fuzz})
tubelet_flags(verdict_safetensors)
file(GLOB fuzz_safetensors_seeds ${golden}/*/*.safetensors)
file(GLOB fuzz_torch_seeds ${CMAKE_CURRENT_SOURCE_DIR}/data/torch/good/*)
file(GLOB fuzz_npy_seeds ${golden}/*/*.npy)
file(GLOB fuzz_config_seeds ${golden}/*/*config.json)
add_test(NAME fuzz/safetensors COMMAND fuzz_safetensors 4000 ${fuzz_safetensors_seeds})
add_test(NAME fuzz/torch COMMAND fuzz_torch 20000 ${fuzz_torch_seeds})
add_test(NAME fuzz/npy COMMAND fuzz_npy 20000 ${fuzz_npy_seeds})
add_test(NAME fuzz/config COMMAND fuzz_config 20000 ${fuzz_config_seeds})
set(fuzz_videos ${CMAKE_CURRENT_BINARY_DIR}/fuzz-videos)
add_test(NAME fuzz/make_containers COMMAND ${fuzz}/make_containers.sh ${fuzz_videos})
add_test(NAME fuzz/containers COMMAND fuzz_containers 20000 ${fuzz_videos}/a.mkv ${fuzz_videos}/a.flv ${fuzz_videos}/a.gif
  ${fuzz_videos}/a.ogv ${fuzz_videos}/a.mp4 ${fuzz_videos}/a.asf ${fuzz_videos}/a.mpg ${fuzz_videos}/a.ts)
set_tests_properties(fuzz/make_containers PROPERTIES FIXTURES_SETUP fuzz_videos LABELS fuzz TIMEOUT 60)
set_tests_properties(fuzz/containers PROPERTIES FIXTURES_REQUIRED fuzz_videos)
set_tests_properties(fuzz/safetensors fuzz/torch fuzz/npy fuzz/config fuzz/containers PROPERTIES LABELS fuzz TIMEOUT 300)
# ---- end of fuzz
# ---- cli: the command itself, called as users call it (tests/cli/*.py, Python's standard library only)
find_program(TEST_PYTHON NAMES python3 REQUIRED)
find_program(TEST_FFMPEG NAMES ffmpeg REQUIRED)
set(cli_scripts
  usage
  exit_codes
  same_bytes
  resume
  models_doc
  info
  settings
  completion
  doctor
  tune
  plan
  presets
  files
  verify
  consumers
  resample
  compare
  bench
  guide
  docs
  lines
  watch
  weights
)
foreach(script ${cli_scripts} gpus)
  add_test(NAME cli/${script} COMMAND ${TEST_PYTHON} -B ${CMAKE_CURRENT_SOURCE_DIR}/cli/cli_${script}.py)
  set_tests_properties(cli/${script} PROPERTIES LABELS cli TIMEOUT 900 ENVIRONMENT
    "TUBELET=$<TARGET_FILE:tubelet_command>;FAKE_GPU_PLUGIN=$<TARGET_FILE:fake_gpu>;FAKE_NVDEC_FOLDER=${fakes}/nvdec")
endforeach()
if(TARGET emulated_gpu)
  set_property(TEST cli/gpus APPEND PROPERTY ENVIRONMENT "EMULATED_GPU_PLUGIN=$<TARGET_FILE:emulated_gpu>")
endif()
set_tests_properties(cli/watch PROPERTIES ENVIRONMENT
  "TUBELET=$<TARGET_FILE:tubelet_command>;FAKE_GPU=$<TARGET_FILE:fake_gpu>;FAKES=${fakes}")
# ---- end of cli
