"""What the field's articles report, replayed with the real daemon against mock providers in compressed time. Each part has a NAME, a TITLE,
`measure(world, short)`, which returns what goes into the JSON, and `shown(result)`, the lines a person reads."""
