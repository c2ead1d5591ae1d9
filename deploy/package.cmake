# Debian packages, by CPack: one for each component of the installation. deploy/package calls it; by hand
#   cpack -G DEB --config build/dev/CPackConfig.cmake -B SOME-FOLDER
# Whatever prefix the build has, packages are for /usr.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME bgop)
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGE_CONTACT "bgop maintainers <root@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "job queue on Kafka and Redis")
set(CPACK_SET_DESTDIR ON)               # so that /etc is /etc
set(CPACK_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)

set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_ALL programs library development)
set(CPACK_COMPONENTS_GROUPING IGNORE)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)  # which libraries, in which versions, from the programs themselves
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)

set(CPACK_DEBIAN_PROGRAMS_PACKAGE_NAME bgop)
set(CPACK_DEBIAN_PROGRAMS_PACKAGE_SECTION net)
set(CPACK_COMPONENT_PROGRAMS_DESCRIPTION
    "Coordinator, worker and control tool of the bgop job queue: submissions come through Kafka, every operation is a\nreadable record in Redis, handlers are programs or web services.")
set(CPACK_DEBIAN_PROGRAMS_PACKAGE_RECOMMENDS redis-server)      # bgop dev starts one
set(CPACK_DEBIAN_PROGRAMS_PACKAGE_CONTROL_EXTRA
    "${CMAKE_CURRENT_LIST_DIR}/debian/postinst;${CMAKE_CURRENT_LIST_DIR}/debian/postrm;${CMAKE_CURRENT_LIST_DIR}/debian/conffiles")

set(CPACK_DEBIAN_LIBRARY_PACKAGE_NAME libbgop${PROJECT_VERSION_MAJOR})
set(CPACK_DEBIAN_LIBRARY_PACKAGE_SECTION libs)
set(CPACK_COMPONENT_LIBRARY_DESCRIPTION "libbgop: submit operations to the bgop job queue from C, read them, wait for them.")
set(CPACK_DEBIAN_LIBRARY_PACKAGE_CONTROL_EXTRA "${CMAKE_CURRENT_LIST_DIR}/debian/triggers")

set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_NAME libbgop-dev)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SECTION libdevel)
set(CPACK_COMPONENT_DEVELOPMENT_DESCRIPTION "Header, static library, pkg-config file and manual page of libbgop.")
# The static library has calls into these.
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS
    "libbgop${PROJECT_VERSION_MAJOR} (= ${PROJECT_VERSION}), librdkafka-dev, libhiredis-dev, libssl-dev, libjansson-dev, libprotobuf-c-dev, libisal-dev")
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SHLIBDEPS OFF)
include(CPack)
