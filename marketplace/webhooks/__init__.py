"""Webhooks: changes sent to addresses outside, signed, again and again until they arrive.

`endpoints` keeps the addresses and their secrets, `deliveries` what has to be sent when,
`sending` sends, `targets` keeps it from reaching anything inside, `signing` signs.
"""
