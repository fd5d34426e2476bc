/* Puts gdb.py where gdb looks for scripts that come with a program: into a section that is not
 * loaded, that `strip` removes and that goes along into a file of debug information. Equal ones are
 * merged. For assembly: included by each switch.S, because every program has that object. */
#ifdef __ELF__
        .section .debug_gdb_scripts, "MS", %progbits, 1
        .byte   4                       /* Python, and here, not in a file */
        .ascii  "coir\n"                /* its name */
        .incbin "debug/gdb.py"
        .byte   0
#endif
