"""Where Django's Korean reads backwards: the time of day says first whether it is before noon."""

DATETIME_FORMAT = "Y년 n월 j일 A g:i"
TIME_FORMAT = "A g:i"
SHORT_DATETIME_FORMAT = "Y-n-j A g:i"
