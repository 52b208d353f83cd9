# Compiler flags that every target gets, and those of the instruction-set levels.
function(tubelet_flags target)
  target_compile_definitions(${target} PRIVATE _GNU_SOURCE TUB_VERSION="${PROJECT_VERSION}")
  # No contraction: a float kernel gives the same bytes at every instruction-set level, fused only where it says so.
  target_compile_options(${target} PRIVATE -ffp-contract=off -fno-math-errno -Wall -Wextra -Wshadow -Wstrict-prototypes
    -Wmissing-prototypes -Wold-style-definition -Wvla -Wpointer-arith -Wwrite-strings -Wformat=2)
  if(TUBELET_WERROR)
    target_compile_options(${target} PRIVATE -Werror)
  endif()
endfunction()

if(TUBELET_SANITIZE)
  add_compile_options(-fsanitize=${TUBELET_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${TUBELET_SANITIZE})
endif()

# *_avx2.c, *_avx512.c, *_avx512bf16.c, *_vnni.c and *_amx.c are compiled for these instructions and called only if the
# processor has them (base/cpu.h). On processors other than x86-64 they compile to nothing, and so does *_neon.c on all
# but 64-bit ARM.
function(tubelet_isa_flags)
  foreach(source ${ARGN})
    if(source MATCHES "_avx2\\.c$")
      set(flags -mavx2 -mfma -mf16c)
    elseif(source MATCHES "_avx512\\.c$")
      set(flags -mavx2 -mfma -mf16c -mavx512f -mavx512bw -mavx512vl -mavx512dq -mprefer-vector-width=512)
    elseif(source MATCHES "_avx512bf16\\.c$")
      set(flags -mavx2 -mfma -mf16c -mavx512f -mavx512bw -mavx512vl -mavx512dq -mavx512bf16 -mprefer-vector-width=512)
    elseif(source MATCHES "_vnni\\.c$")
      set(flags -mavx2 -mfma -mf16c -mavx512f -mavx512bw -mavx512vl -mavx512dq -mavx512vnni -mprefer-vector-width=512)
    elseif(source MATCHES "_amx\\.c$")
      set(flags -mavx512f -mavx512bw -mavx512vl -mamx-tile -mamx-bf16 -mamx-int8)
    elseif(source MATCHES "_neon\\.c$" AND CMAKE_C_COMPILER_ID STREQUAL "GNU")
      set(flags -fno-schedule-insns) # GCC's first pass would need more registers than there are
    else()
      continue()
    endif()
    # Loops that are fast, or fast enough under a sanitizer, only if they are unrolled.
    if(NOT CMAKE_BUILD_TYPE STREQUAL "Release")
      list(APPEND flags -O2)
    endif()
    if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64" OR source MATCHES "_neon\\.c$")
      set_source_files_properties(${source} PROPERTIES COMPILE_OPTIONS "${flags}")
    endif()
  endforeach()
endfunction()
