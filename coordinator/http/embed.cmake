# cmake -D "FILES=name=path;..." -D EMBEDDED=<out.c> -P embed.cmake
# Writes each file as a C array: name and name_size.
set(code "#include <stddef.h>\n")
foreach(pair ${FILES})
  string(REGEX MATCH "^([a-z_]+)=(.*)$" matched "${pair}")
  set(name ${CMAKE_MATCH_1})
  file(READ ${CMAKE_MATCH_2} hex HEX)
  string(REGEX REPLACE "(..)" "0x\\1," bytes "${hex}")
  string(REGEX REPLACE "(................................................................................)" "\\1\n" bytes "${bytes}")
  string(APPEND code "extern const unsigned char ${name}[];\nextern const size_t ${name}_size;\n"
         "const unsigned char ${name}[] = {\n${bytes}\n0x00};\nconst size_t ${name}_size = sizeof ${name} - 1;\n")
endforeach()
file(WRITE ${EMBEDDED} "${code}")
