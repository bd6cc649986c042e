// What there is to play with in room 8. No DOM in here.

export const PLAYS = ["none", "paint", "attack", "channel", "map", "two", "backward"];
