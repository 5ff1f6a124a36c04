"""SeqIO tasks of cross-lingual transfer: importing this package registers them.

`tasks.catalogue` lists what there is; `tasks.vocabulary.choose` says in which vocabulary;
TFDS_DATA_DIR, or `tasks.data_dir.use`, says where the data lies. Nothing is read before a task is.
"""

import os

# TensorFlow reads this when it is first imported.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from tasks import registration
from tasks.by_name import registry

registration.register()
registry.install()
