# cmake -DFOLDERS=a;b -DCOMPILER=text -DOUT=file.c -P identity.cmake: writes a hash of the backends' sources and
# compiler, so that measurements of one build aren't used for another.
set(all "${COMPILER}")
foreach(folder ${FOLDERS})
  file(GLOB_RECURSE files ${folder}/*.c ${folder}/*.h)
  list(SORT files)
  foreach(file ${files})
    file(SHA256 ${file} hash)
    string(APPEND all " ${hash}")
  endforeach()
endforeach()
string(SHA256 hash "${all}")
string(SUBSTRING ${hash} 0 12 hash)
file(CONFIGURE OUTPUT ${OUT} CONTENT "#include \"backend.h\"\n\nconst char *tub_backends_identity(void)\n{\n    return \"${hash}\";\n}\n")
