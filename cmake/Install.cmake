# What `./dev install` puts in place: the binary, the manual, the labs, and the completions, which the binary itself prints (so they always
# know its verbs and flags) when it is installed.
include(GNUInstallDirs)
install(TARGETS stowage RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(FILES ${CMAKE_SOURCE_DIR}/docs/stowage.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(DIRECTORY ${CMAKE_SOURCE_DIR}/scenarios DESTINATION ${CMAKE_INSTALL_DATADIR}/stowage)

file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/completion)
foreach(row "bash:bash-completion/completions:stowage" "zsh:zsh/site-functions:_stowage" "fish:fish/vendor_completions.d:stowage.fish")
  string(REPLACE ":" ";" row ${row})
  list(GET row 0 shell)
  list(GET row 1 folder)
  list(GET row 2 name)
  set(printed ${CMAKE_BINARY_DIR}/completion/${shell})
  install(CODE "execute_process(COMMAND \"$<TARGET_FILE:stowage>\" completion ${shell} OUTPUT_FILE \"${printed}\" COMMAND_ERROR_IS_FATAL ANY)")
  install(FILES ${printed} DESTINATION ${CMAKE_INSTALL_DATADIR}/${folder} RENAME ${name})
endforeach()
