"""Who does the tasks of the queue loop: the protocol between both, and workers that are processes of this machine.

Takes tasks and gives what workers say of them (`daemon.processing.messages`). It starts workers, divides cores and
graphics cards among them, notices when one dies or hangs, and knows neither the database nor what follows from an
answer.
"""
