# mainstay_embed(TARGET FILE...): a library with these files inside, as they are and gzipped, so that a program needs none of
# them beside it. find_embedded() of web/embedded_file.hpp finds one by its name.
find_program(GZIP_PROGRAM gzip REQUIRED)

function(mainstay_embed target)
  set(folder ${CMAKE_BINARY_DIR}/${target})
  set(source ${folder}/files.cpp)
  set(compressed)
  set(text "#include \"web/embedded_file.hpp\"\n\n")
  set(table "")
  set(number 0)
  foreach(file ${ARGN})
    get_filename_component(name ${file} NAME)
    add_custom_command(OUTPUT ${folder}/${name}.gz DEPENDS ${file} COMMENT "gzip ${name}" VERBATIM
      COMMAND ${GZIP_PROGRAM} -9 -n -c ${file} > ${folder}/${name}.gz)
    list(APPEND compressed ${folder}/${name}.gz)
    foreach(kind plain gzip)
      set(path ${file})
      if(kind STREQUAL gzip)
        set(path ${folder}/${name}.gz)
      endif()
      set(symbol ${target}_${kind}_${number})
      string(APPEND text "asm(\".section .rodata\\n${symbol}_begin:\\n.incbin \\\"${path}\\\"\\n${symbol}_end:\\n.previous\\n\");\n"
        "extern const char ${symbol}_begin[] asm(\"${symbol}_begin\");\nextern const char ${symbol}_end[] asm(\"${symbol}_end\");\n")
    endforeach()
    string(APPEND table "  if (name == \"${name}\")\n    return mainstay::embedded_file{between(${target}_plain_${number}_begin, ${target}_plain_${number}_end),\n"
      "                                   between(${target}_gzip_${number}_begin, ${target}_gzip_${number}_end)};\n")
    math(EXPR number "${number} + 1")
  endforeach()
  string(APPEND text "\nstatic std::string_view between(const char* begin, const char* end) {\n  return {begin, static_cast<std::size_t>(end - begin)};\n}\n\n"
    "std::optional<mainstay::embedded_file> mainstay::find_embedded(std::string_view name) noexcept {\n${table}  return std::nullopt;\n}\n")
  file(GENERATE OUTPUT ${source} CONTENT "${text}")
  add_library(${target} STATIC ${source})
  set_source_files_properties(${source} PROPERTIES OBJECT_DEPENDS "${ARGN};${compressed}")
  target_include_directories(${target} PUBLIC ${CMAKE_SOURCE_DIR})
endfunction()
