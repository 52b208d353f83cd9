# Packages of the system: Debian 12's or later (scripts/install-dependencies.sh names them).
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson>=2.13)
pkg_check_modules(XXHASH REQUIRED IMPORTED_TARGET libxxhash)
pkg_check_modules(LIBAV REQUIRED IMPORTED_TARGET libavformat>=59 libavcodec>=59 libswscale>=6 libavutil>=57)

if(TUBELET_ONEDNN)
  # Debian's oneDNN 2.x uses OpenMP; we set one thread per primitive and share the work ourselves.
  find_package(OpenMP REQUIRED)
  pkg_check_modules(DNNL IMPORTED_TARGET dnnl)
  if(NOT DNNL_FOUND)
    find_path(DNNL_INCLUDE dnnl.h REQUIRED)
    find_library(DNNL_LIBRARY dnnl REQUIRED)
    add_library(PkgConfig::DNNL INTERFACE IMPORTED)
    target_include_directories(PkgConfig::DNNL INTERFACE ${DNNL_INCLUDE})
    target_link_libraries(PkgConfig::DNNL INTERFACE ${DNNL_LIBRARY})
  endif()
endif()
