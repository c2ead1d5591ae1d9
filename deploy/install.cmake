# Part of cmake --install: files that name others, or whose place depends on the prefix. Under /usr configuration is in
# /etc and state in /var/lib; under any other prefix (/opt/bgop, a test's folder) both stay under it.
#   SOURCE  the folder deploy/      CMAKE_INSTALL_PREFIX  where to; DESTDIR, when set, stands before it
set(BINDIR ${CMAKE_INSTALL_PREFIX}/bin)
if(CMAKE_INSTALL_PREFIX STREQUAL "/usr")
  set(SYSCONFDIR /etc)
  set(zsh share/zsh/vendor-completions)         # where Debian's zsh looks for those of packages
else()
  set(SYSCONFDIR ${CMAKE_INSTALL_PREFIX}/etc)
  set(zsh share/zsh/site-functions)
endif()
set(STATEDIR /var/lib)                          # StateDirectory= of a unit is there, whatever the prefix

string(RANDOM LENGTH 12 folder)
set(folder ${BUILD}/install-${folder})
foreach(unit bgop-coordinator.service bgop-worker@.service)
  configure_file(${SOURCE}/systemd/${unit}.in ${folder}/${unit} @ONLY)
  file(INSTALL ${folder}/${unit} DESTINATION ${CMAKE_INSTALL_PREFIX}/lib/systemd/system)
endforeach()
file(REMOVE_RECURSE ${folder})
file(INSTALL ${SOURCE}/systemd/sysusers.conf DESTINATION ${CMAKE_INSTALL_PREFIX}/lib/sysusers.d RENAME bgop.conf)
file(INSTALL ${SOURCE}/bgop.ini DESTINATION ${SYSCONFDIR}/bgop)
file(INSTALL ${BUILD}/man/completion.zsh DESTINATION ${CMAKE_INSTALL_PREFIX}/${zsh} RENAME _bgopctl)
