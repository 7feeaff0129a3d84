"""Search by words: which terms a text has, what they weigh, and how their hits and the vectors' become one order.

Pure functions over strings and numbers, for whoever stores passages and for whoever asks for them: both have to
make the same terms of the same word, and nothing else is shared between them.
"""
