/** How many slots ids are spread over, for ever: each id carries its slot in 12 bits. */
export const slotCount = 4_096;
