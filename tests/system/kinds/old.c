// Makes system calls by `int $0x80`, as 32-bit programs do: each argument of the program is one call, its number and its
// values separated by blanks. A value is a number, "text", or [words]: 32-bit words whose address is passed, where `_`
// is the address of the text before. Built static and not position independent, so that addresses fit 32 bits.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char memory[65536];
static unsigned used;

static unsigned keep(const void *from, unsigned size)
{
	char *to = memory + used;
	memcpy(to, from, size);
	used += (size + 7) & ~7u;
	return (unsigned)(unsigned long)to;
}

static unsigned value_of(char *word)
{
	static unsigned last;
	if (*word == '"') {
		char *text = word + 1;
		text[strlen(text) - 1] = 0;
		return last = keep(text, strlen(text) + 1);
	}
	if (*word != '[')
		return strtoll(word, NULL, 0);
	unsigned words[16], count = 0;
	for (char *one = strtok_r(word + 1, ",]", &word); one; one = strtok_r(NULL, ",]", &word))
		words[count++] = *one == '_' ? last : (unsigned)strtoll(one, NULL, 0);
	return last = keep(words, count * sizeof(*words));
}

int main(int count, char **calls)
{
	for (int call = 1; call < count; call++) {
		unsigned values[6] = {}, place = 0;
		char *rest;
		for (char *word = strtok_r(calls[call], " ", &rest); word; word = strtok_r(NULL, " ", &rest))
			values[place++] = value_of(word);
		int result;
		__asm__ volatile("int $0x80"
				 : "=a"(result)
				 : "a"(values[0]), "b"(values[1]), "c"(values[2]), "d"(values[3]), "S"(values[4]),
				   "D"(values[5])
				 : "memory", "r8", "r9", "r10", "r11");
		printf("%d\n", result);
		fflush(stdout);
	}
	return 0;
}
