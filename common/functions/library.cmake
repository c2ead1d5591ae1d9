# cmake -D PARTS=<files> -D CONSTANTS=<file> -D VERSION=<x.y.z> -D USERS=<users.acl> -D LIBRARY=<out.lua>
#       -D EMBEDDED=<out.c> -P library.cmake
# Joins PARTS into one Redis Functions library and writes it as a C array as well. The second line holds the SHA-1 of
# what follows, so that a person sees in FUNCTION LIST which build is loaded; the third is LIBRARY of write/library.lua:
# that, the version, and of each user in USERS the commands that it needs.
# In the sources a name of the form OP.NAME (in capitals) is a constant of wire_tables.h, KEY.GATE one of common/record/keys.h.
# CONSTANTS sets them, and here the value takes the name's place.
include(${CONSTANTS})
set(code "")
foreach(part ${PARTS})
  file(READ ${part} text)
  get_filename_component(name ${part} NAME)
  if(text MATCHES "prefix[^\n]* [.][.] ':[a-z_]")
    message(FATAL_ERROR "${part}: a key written by hand (${CMAKE_MATCH_0}): its pattern is KEY.NAME of common/record/keys.h")
  endif()
  string(REGEX MATCHALL "[A-Z][A-Z_]*\\.[A-Z][A-Z_]*" used "${text}")
  list(REMOVE_DUPLICATES used)
  list(SORT used ORDER DESCENDING)          # a longer name before one that it begins with
  foreach(constant ${used})
    if(NOT DEFINED ${constant})
      message(FATAL_ERROR "${part}: ${constant} is neither in wire_tables.h nor in common/record/keys.h or health.h")
    endif()
    string(REPLACE "." "\\." pattern "${constant}")
    string(REGEX REPLACE "([^A-Z_])${pattern}" "\\1${${constant}}" text "${text}")
  endforeach()
  string(APPEND code "-- ---- ${name} ----\n${text}\n")
endforeach()
set(users "")
file(STRINGS ${USERS} lines)
foreach(line ${lines})
  string(REGEX MATCH "^user bgop-([a-z]+) " name "${line}")
  set(name ${CMAKE_MATCH_1})
  string(REGEX MATCHALL "\\+[a-z_|]+" commands "${line}")
  string(REPLACE ";" "" commands "${commands}")
  string(APPEND users "${name} = '${commands}', ")
endforeach()
string(SHA1 hash "${users}${code}")
file(WRITE ${LIBRARY} "#!lua name=bgop\n-- sha1 ${hash}\n"
     "local LIBRARY = {version = '${VERSION}', sha1 = '${hash}', users = {${users}}}\n${code}")

file(READ ${LIBRARY} hex HEX)
string(REGEX REPLACE "(..)" "0x\\1," bytes "${hex}")
string(REGEX REPLACE "(................................................................................)" "\\1\n" bytes "${bytes}")
file(WRITE ${EMBEDDED} "#include <stddef.h>\nextern const char functions_code[];\nextern const size_t functions_code_size;\n"
     "const char functions_code[] = {\n${bytes}\n0x00};\nconst size_t functions_code_size = sizeof functions_code - 1;\n")
