# cmake -DSOURCE=folder -DOUT=file.c -P embed_page.cmake: writes the report's page, with its style and script, as bytes
# in C.
foreach(part html css js)
  file(READ ${SOURCE}/report_page.${part} ${part})
endforeach()
string(REPLACE "@STYLE@" "${css}" page "${html}")
string(REPLACE "@SCRIPT@" "${js}" page "${page}")
string(HEX "${page}" page)
string(REGEX REPLACE "(..)" "0x\\1," page "${page}")
file(WRITE ${OUT} "#include \"report_html.h\"\n\nconst unsigned char cli_report_page[] = {${page}0};\n")
