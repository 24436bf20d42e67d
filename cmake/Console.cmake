# The web console's files, as one: ${console_pack}, see src/apiserver/console/assets.c. Without Node.js, or without the
# libraries (web/node_modules, which `./dev` gets), the file is empty and the server says so at /console.
option(STOWAGE_CONSOLE "bundle the web console, if Node.js and web/node_modules are there" ON)
set(console_pack ${CMAKE_BINARY_DIR}/generated/console.pack)
find_program(NODE_PROGRAM NAMES node nodejs)
set(esbuild ${CMAKE_SOURCE_DIR}/web/node_modules/esbuild)
if(STOWAGE_CONSOLE AND NODE_PROGRAM AND EXISTS ${esbuild})
  file(GLOB_RECURSE console_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/web/src/*)
  add_custom_command(OUTPUT ${console_pack}
    COMMAND ${NODE_PROGRAM} ${CMAKE_SOURCE_DIR}/web/build.mjs ${console_pack}
    DEPENDS ${console_sources} ${CMAKE_SOURCE_DIR}/web/build.mjs ${CMAKE_SOURCE_DIR}/web/package-lock.json VERBATIM)
else()
  message(STATUS "the web console is left out: it needs Node.js and `npm ci` in web/")
  file(WRITE ${console_pack}.empty "")
  add_custom_command(OUTPUT ${console_pack} COMMAND ${CMAKE_COMMAND} -E copy_if_different ${console_pack}.empty ${console_pack} VERBATIM)
endif()
