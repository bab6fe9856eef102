/* Formatted text for programs that have a put_char, put_string and put_number. */
#ifndef PRINT_H
#define PRINT_H

/* Prints text in which %d, %x, %s and %c stand for arguments, as in C's printf. */
static void print(const char *format, ...)
{
    __builtin_va_list arguments;
    __builtin_va_start(arguments, format);
    for (; *format; format++) {
        if (*format != '%') {
            put_char(*format);
            continue;
        }
        switch (*++format) {
        case 's': put_string(__builtin_va_arg(arguments, const char *)); break;
        case 'd': put_number(__builtin_va_arg(arguments, u64), 10); break;
        case 'x': put_string("0x"), put_number(__builtin_va_arg(arguments, u64), 16); break;
        default: put_char(__builtin_va_arg(arguments, int));
        }
    }
    __builtin_va_end(arguments);
}

#endif
