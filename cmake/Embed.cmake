# What is embedded in the binary: the schema texts, the default roles, the static guest program of the built-in images, the web
# console.
# Both are found by .incbin through include paths and defines; see src/api/schema_data.c and src/images/guest_data.c.
file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/generated)
file(GLOB schema_files CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/api/schema/*.schema)
set(all_schema ${CMAKE_BINARY_DIR}/generated/all.schema)
add_custom_command(OUTPUT ${all_schema} COMMAND cat ${schema_files} /dev/null > ${all_schema} DEPENDS ${schema_files} VERBATIM)
add_custom_target(schema_text DEPENDS ${all_schema})

file(GLOB guest_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/images/guest/*.c)
if(guest_sources)
  set(guest ${CMAKE_BINARY_DIR}/generated/stowage-guest)
  add_custom_command(OUTPUT ${guest} ${guest}.sha256
    COMMAND ${CMAKE_C_COMPILER} -std=gnu17 -O2 -D_GNU_SOURCE -static -s -ffunction-sections -fdata-sections -Wl,--gc-sections
            -Wall -Wextra -o ${guest} ${guest_sources}
    COMMAND ${CMAKE_COMMAND} -E sha256sum ${guest} > ${guest}.sha256
    DEPENDS ${guest_sources} VERBATIM)
  add_custom_target(guest_program DEPENDS ${guest})
endif()
# The web console: bundled by esbuild where Node.js is at hand, else left out; see web/README.md.
include(${CMAKE_CURRENT_LIST_DIR}/Console.cmake)

# An object that uses .incbin names its data in OBJECT_DEPENDS so that a change rebuilds it.
foreach(pair "src/apiserver/console/assets.c:${console_pack}" "src/api/schema_data.c:${all_schema}"
             "src/registry/rbac/defaults.c:${CMAKE_SOURCE_DIR}/src/registry/rbac/defaults.txt"
             "src/images/guest_data.c:${CMAKE_BINARY_DIR}/generated/stowage-guest")
  string(FIND ${pair} ":" at)
  string(SUBSTRING ${pair} 0 ${at} source)
  math(EXPR after "${at} + 1")
  string(SUBSTRING ${pair} ${after} -1 data)
  set_source_files_properties(${CMAKE_SOURCE_DIR}/${source} PROPERTIES OBJECT_DEPENDS ${data}
                              COMPILE_OPTIONS "-DEMBED_FILE=\"${data}\"")
endforeach()
