# cmake -D PARTS=<files> -D LIBRARY=<out.lua> -D EMBEDDED=<out.c> -P library.cmake
# Joins PARTS into one Redis Functions library and writes it as a C array as well. The second line holds the SHA-1 of
# what follows, so that a person sees in FUNCTION LIST which build is loaded.
set(code "")
foreach(part ${PARTS})
  file(READ ${part} text)
  get_filename_component(name ${part} NAME)
  string(APPEND code "-- ---- ${name} ----\n${text}\n")
endforeach()
string(SHA1 hash "${code}")
file(WRITE ${LIBRARY} "#!lua name=bgop\n-- sha1 ${hash}\n${code}")

file(READ ${LIBRARY} hex HEX)
string(REGEX REPLACE "(..)" "0x\\1," bytes "${hex}")
string(REGEX REPLACE "(................................................................................)" "\\1\n" bytes "${bytes}")
file(WRITE ${EMBEDDED} "#include <stddef.h>\nextern const char functions_code[];\nextern const size_t functions_code_size;\n"
     "const char functions_code[] = {\n${bytes}\n0x00};\nconst size_t functions_code_size = sizeof functions_code - 1;\n")
